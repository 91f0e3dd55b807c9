import { spawn } from "node:child_process"
import { once } from "node:events"
import { assert, describe, it } from "vitest"
import { findLeftovers, markRun } from "../test-run/leftovers.mjs"
import { parseTally, sumUp } from "../test-run/tally.mjs"

describe("the closing line of the tests", () => {
  const clean = { code: 0, tally: { passed: 3, failed: 0, skipped: 0 } }
  const skipping = { code: 0, tally: { passed: 3, failed: 0, skipped: 2 } }

  it("is read from vitest's own", () => {
    assert.deepStrictEqual(parseTally("3 passed, 1 failed"), { passed: 3, failed: 1, skipped: 0 })
    assert.deepStrictEqual(parseTally("3 passed, 0 failed, 2 skipped"), { passed: 3, failed: 0, skipped: 2 })
    assert.isUndefined(parseTally("Duration 2 s"))
  })

  for (const [title, input, line, exitCode] of [
    ["says that all passed", { run: clean, faults: 0 }, "3 passed, 0 failed", 0],
    ["counts what vitest does not know of", { run: clean, faults: 2 }, "3 passed, 2 failed", 1],
    ["names skipped tests", { run: skipping, faults: 0 }, "3 passed, 0 failed, 2 skipped", 0],
    ["counts skipped tests where none may be", { run: skipping, faults: 0, skipFails: true }, "3 passed, 2 failed", 1],
    ["does not believe a count when vitest failed", { run: { ...clean, code: 1 }, faults: 0 }, "3 passed, 1 failed", 1],
    [
      "is a failure when nothing ran",
      { run: { code: 0, tally: { passed: 0, failed: 0, skipped: 0 } }, faults: 0 },
      "0 passed, 1 failed",
      1
    ],
    ["is a failure when there was no count", { run: { code: 1, tally: undefined }, faults: 1 }, "0 passed, 1 failed", 1]
  ] as const) {
    it(title, () => {
      assert.deepStrictEqual(sumUp({ skipFails: false, ...input }), { line, exitCode })
    })
  }
})

describe("what a run leaves behind", () => {
  it("is each process that has its mark, which is ended; other processes stay", async () => {
    const mark = markRun()
    const marked = spawn("sleep", ["600"], { env: { ...process.env, ...mark.environment } })
    const other = spawn("sleep", ["600"])
    await Promise.all([once(marked, "spawn"), once(other, "spawn")])
    const ended = once(marked, "exit")
    assert.deepStrictEqual(await findLeftovers(mark), [`a test left the process ${marked.pid} (sleep) behind`])
    assert.deepStrictEqual(await ended, [null, "SIGKILL"])
    assert.deepStrictEqual(await findLeftovers(mark), [])
    assert.isNull(other.exitCode)
    other.kill()
  })
})
