import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { execute, makeLab, startProcess } from "@lowtide/testkit/lab/index"
import { Effect } from "effect"
import { findLeftovers, markRun } from "../../scripts/test-run/leftovers.mjs"

describe("the namespaces that a test run leaves behind", () => {
  it.live("are those of no living lab that were not there before", () =>
    Effect.gen(function* () {
      const before = yield* temporaryNamespace("ltbefore")
      const mark = markRun()
      const lab = yield* makeLab()
      const owned = yield* lab.addNamespace("owned")
      const used = yield* temporaryNamespace("ltused")
      yield* startProcess({ name: "s", namespace: used, command: ["sleep", "60"], logFile: join(lab.folder, "log") })
      const left = yield* temporaryNamespace("ltleft")
      const found = (yield* Effect.promise(() => findLeftovers(mark))).join("\n")
      assert.include(found, `a test left the network namespace ${left} behind`)
      assert.notInclude(found, before)
      assert.notInclude(found, owned)
      assert.notInclude(found, used)
    }).pipe(Effect.scoped)
  )
})

const temporaryNamespace = (prefix: string) => {
  const name = `${prefix}-${process.pid}`
  return Effect.acquireRelease(Effect.as(execute(["ip", "netns", "add", name]), name), () =>
    Effect.ignore(execute(["ip", "netns", "del", name]))
  )
}
