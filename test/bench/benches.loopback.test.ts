import { execFile } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"
import { assert, describe, it } from "vitest"
import { benchmarksIn } from "../../scripts/bench/benchmarks.ts"

/**
 * Each benchmark at a size that says nothing of speed: that it still runs, and prints figures with their ratios. `announce` and
 * `path` need network namespaces, and are run by `test/e2e/benches.test.ts`.
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
  takeover: [10, 1],
  "total-loss": [10]
}

const root = join(import.meta.dirname, "../..")
const run = promisify(execFile)

describe("a benchmark at its smallest", () => {
  it("is known of each", () => {
    const known = [...benchmarksIn(root).keys()].filter((name) => name !== "announce" && name !== "path")
    assert.deepStrictEqual(Object.keys(tiny).sort(), known)
  })

  it.concurrent.each(Object.entries(tiny))("%s runs, and each of its lines is a figure", async (name, sizes) => {
    const { stdout } = await run(process.execPath, ["scripts/bench.ts", name, ...sizes.map(String)], { cwd: root })
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
