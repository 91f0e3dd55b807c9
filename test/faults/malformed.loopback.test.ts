import { assert, it } from "@effect/vitest"
import { Bus, type CommandReply, commandSubject } from "@lowtide/bus"
import { nodeObject } from "@lowtide/testkit/observed"
import { Effect } from "effect"
import { leads, makeCentreLab, uuid } from "./centre-lab.ts"
import { announcing, service } from "./orders.ts"

const observeNode = { _tag: "ObserveNode", cluster: "east", node: nodeObject("n9") }
const envelope = { commandId: uuid(9000), correlationId: uuid(9000), command: observeNode }
const odd = { ...nodeObject("n9"), labels: { odd: "\u0000" } }

/** What is sent on the subject of cluster east, and what it is answered. */
const table: ReadonlyArray<readonly [what: string, text: string, code: string, message: RegExp]> = [
  ["no JSON", "{", "LT0507", /^malformed command: /],
  ["nothing", "", "LT0507", /^malformed command: /],
  ["JSON of another shape", "[1]", "LT0507", /^malformed command: /],
  ["no id", JSON.stringify({ ...envelope, commandId: undefined }), "LT0507", /commandId/],
  ["a field of a wrong type", JSON.stringify({ ...envelope, command: { ...observeNode, node: 7 } }), "LT0507", /node/],
  [
    "an order of no version",
    JSON.stringify({ ...envelope, command: { _tag: "Frobnicate", cluster: "east" } }),
    "LT0507",
    /malformed/
  ],
  [
    "an order of the allocator's own",
    JSON.stringify({ ...envelope, command: { _tag: "ExpireQuarantines", cluster: "east" } }),
    "LT0507",
    /malformed/
  ],
  [
    "another cluster",
    JSON.stringify({ ...envelope, command: { ...observeNode, cluster: "west" } }),
    "LT0508",
    /expected a command about the cluster of lt\.v1\.cmd\.east, found cluster "west"/
  ],
  [
    "text that PostgreSQL cannot store",
    JSON.stringify({ ...envelope, command: { ...observeNode, node: odd } }),
    "LT0507",
    /expected text without the character U\+0000/
  ]
]

it.live("a malformed command is refused with its fault, by the process, and changes nothing", () =>
  Effect.gen(function* () {
    const lab = yield* makeCentreLab
    const one = yield* lab.allocator("one")
    yield* leads(one)
    for (const command of announcing) yield* lab.send(command)
    const events = lab.sql("select seq::int from events order by seq")
    const before = yield* events
    for (const [what, text, code, message] of table) {
      const reply = yield* lab.within(
        Effect.gen(function* () {
          const connection = yield* (yield* Bus).connection
          const answer = yield* Effect.promise(() =>
            connection.request(commandSubject("east"), text, { timeout: 10_000 })
          )
          return JSON.parse(answer.string()) as CommandReply
        })
      )
      assert.deepStrictEqual([reply._tag, reply._tag === "Refused" && reply.code], ["Refused", code], what)
      assert.match(reply._tag === "Refused" ? reply.message : "", message, what)
    }
    const large = { ...nodeObject("n9"), labels: { large: "x".repeat(2_000_000) } }
    const refused = yield* lab.send({ _tag: "ObserveNode", cluster: "east", node: large }, 9001)
    assert.deepInclude(refused, { _tag: "Refused", code: "LT0509" })
    assert.deepStrictEqual(yield* events, before, "nothing is stored of any of them")
    const backslash = { ...nodeObject("n9"), labels: { odd: "\\u0000" } }
    assert.strictEqual((yield* lab.send({ _tag: "ObserveNode", cluster: "east", node: backslash }, 9003))._tag, "Done")
    assert.strictEqual((yield* lab.send(service("web"), 9002))._tag, "Done", "and others go on")
    assert.strictEqual(yield* one.process.isRunning, true)
  }).pipe(Effect.scoped)
)
