import { execFile } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"
import { assert, describe, it } from "vitest"

const run = promisify(execFile)
const cwd = join(import.meta.dirname, "../..")

describe("a benchmark with routers, at its smallest", () => {
  it.each([
    ["announce", [10]],
    ["detect", [1]],
    ["everyday", [10, 2, 1, 1]],
    ["path", [1]]
  ])("%s runs, and each of its lines is a figure", async (name, sizes) => {
    const { stdout } = await run(process.execPath, ["scripts/bench.ts", name, ...sizes.map(String)], { cwd })
    // A hop may take less than the millisecond that is counted.
    for (const line of stdout.trimEnd().split("\n")) assert.isAtLeast(JSON.parse(line).ratio, 0)
  })
})
