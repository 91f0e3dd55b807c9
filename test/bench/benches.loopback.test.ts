import { execFile } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"
import { assert, describe, it } from "vitest"
import { benchmarksIn } from "../../scripts/bench/benchmarks.ts"

/**
 * Each benchmark at a size that says nothing of speed: that it still runs, and prints figures with their ratios. `announce`,
 * `detect`, `everyday` and `path` need network namespaces, and are run by `test/e2e/benches.test.ts`.
 */
const tiny: Readonly<Record<string, ReadonlyArray<number>>> = {
  "as-of": [2_000],
  allocate: [40_000, 2],
  append: [320, 1],
  "config-change": [2_000, 1],
  export: [50],
  fleet: [2, 4],
  publish: [1, 10],
  replay: [20, 100],
  republish: [300],
  small: [20, 1, 1],
  takeover: [10, 1],
  "total-loss": [10]
}

const root = join(import.meta.dirname, "../..")
const run = promisify(execFile)

describe("a benchmark at its smallest", () => {
  it("is known of each", () => {
    const known = [...benchmarksIn(root).keys()].filter(
      (name) => !["announce", "detect", "everyday", "path"].includes(name)
    )
    assert.deepStrictEqual(Object.keys(tiny).sort(), known)
  })

  // One that hangs is ended, tells what it said, and is run once more: `fleet` has been seen to, and says by now who waits for what.
  const options = { retry: 1, concurrent: true }
  it.each(Object.entries(tiny))("%s runs, and each of its lines is a figure", options, async (name, sizes) => {
    const command = ["scripts/bench.ts", name, ...sizes.map(String)]
    const { stdout } = await run(process.execPath, command, { cwd: root, timeout: 80_000 }).catch((cause) => {
      throw new Error(`${name}: ${cause.message}\n${cause.stderr}`)
    })
    const figures = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>)
    for (const { bench, ratio } of figures) {
      assert.strictEqual(bench, name)
      assert.isAtLeast(ratio as number, 0) // processor time comes in ticks, of which so little may take none
    }
  })
})
