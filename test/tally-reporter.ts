import type { Reporter, TestModule } from "vitest/node"

/** Prints `N passed, N failed` as the very last line. A file that does not load and a hook that throws each count as one failure. */
export default class Tally implements Reporter {
  onTestRunEnd(modules: ReadonlyArray<TestModule>, errors: ReadonlyArray<unknown>) {
    let passed = 0
    let failed = errors.length
    let skipped = 0
    for (const module of modules) {
      const states = [...module.children.allTests()].map((test) => test.result().state)
      const failedHere = states.filter((state) => state === "failed").length
      const passedHere = states.filter((state) => state === "passed").length
      passed += passedHere
      skipped += states.length - passedHere - failedHere
      failed += failedHere === 0 && !module.ok() ? 1 : failedHere
    }
    process.stdout.write(`${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ""}\n`)
    if (skipped > 0 && process.env.CI === "true") process.exitCode = 1
  }
}
