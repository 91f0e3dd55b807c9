import { assert, describe, it } from "@effect/vitest"
import type { CommandReply } from "@lowtide/bus/commands"
import { Effect } from "effect"
import { DecisionDefect, type ReceivedCommand } from "../src/decide-batch.ts"
import { Defects } from "../src/defects.ts"
import { received, service } from "./orders.ts"

const [a, b, c] = ["a", "b", "c"].map((name, index) => received(service(name), index + 1)) as [
  ReceivedCommand,
  ReceivedCommand,
  ReceivedCommand
]

/** The batches in which the commands are committed; those with a guilty one fail. */
const committed = (defects: Defects, commands: ReadonlyArray<ReceivedCommand>, guilty?: ReceivedCommand) =>
  Effect.gen(function* () {
    const parts: Array<string> = []
    const replies = yield* Effect.result(
      defects.commitApart(commands, (part) => {
        parts.push(part.map(({ envelope }) => envelope.commandId.slice(-1)).join(""))
        if (guilty !== undefined && part.includes(guilty)) return Effect.fail("a defect")
        return Effect.succeed(part.map((): CommandReply => ({ _tag: "Done", seqFrom: null, seqTo: null })))
      })
    )
    return { parts, answered: replies._tag === "Success" ? replies.success.length : 0 }
  })

const refused = (defects: Defects) =>
  [a, b, c].filter(({ envelope }) => defects.refusal(envelope) !== undefined).map(({ envelope }) => envelope.commandId)

describe("a defect", () => {
  it.effect("of a known command is held against that one alone", () =>
    Effect.gen(function* () {
      const defects = new Defects()
      defects.blame([a, b], new DecisionDefect(b, new Error("broken")))
      assert.deepStrictEqual(refused(defects), [b.envelope.commandId])
      assert.deepInclude(defects.refusal(b.envelope), { _tag: "Refused", code: "LT0506" })
      assert.deepStrictEqual(yield* committed(defects, [a, c]), { parts: ["13"], answered: 2 })
    })
  )

  it.effect("of a batch makes each of its commands be decided alone, until the guilty one is found", () =>
    Effect.gen(function* () {
      const defects = new Defects()
      defects.blame([a, b], new Error("broken"))
      assert.deepStrictEqual(refused(defects), [])
      assert.deepStrictEqual(yield* committed(defects, [c, a, b], b), { parts: ["3", "1", "2"], answered: 0 })
      defects.blame([b], new Error("broken"))
      assert.deepStrictEqual(refused(defects), [b.envelope.commandId])
      assert.deepStrictEqual(yield* committed(defects, [c, a]), { parts: ["31"], answered: 2 }, "a is cleared")
    })
  )
})
