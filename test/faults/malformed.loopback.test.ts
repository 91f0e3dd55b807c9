import { assert, it } from "@effect/vitest"
import { Bus, type CommandReply, commandSubject } from "@lowtide/bus"
import { publishAll } from "@lowtide/bus/streams"
import { wireSubject } from "@lowtide/bus/subjects"
import { waitUntil } from "@lowtide/testkit/lab/index"
import { nodeObject } from "@lowtide/testkit/observed"
import { Effect } from "effect"
import { leads, makeCentreLab, uuid } from "./centre-lab.ts"
import { announcing, service } from "./orders.ts"

const observeNode = { _tag: "ObserveNode", cluster: "east", node: nodeObject("n9") }
const envelope = { commandId: uuid(9000), correlationId: uuid(9000), command: observeNode }
const odd = { ...nodeObject("n9"), labels: { odd: "\u0000" } }

/** Of lists in each other JSON.parse reads thousands, and JSON.stringify fails where a name beside them is a number. */
const deepManifest = (other: string): string =>
  JSON.stringify({
    ...envelope,
    command: {
      ...{ _tag: "ApplyManifest", cluster: "east" },
      manifest: {
        apiVersion: "metallb.io/v1beta2",
        kind: "BGPPeer",
        namespace: "",
        name: "deep",
        spec: { deep: 1, other }
      }
    }
  }).replace('"deep":1', () => `"deep":{"1":${"[".repeat(9_000)}${"]".repeat(9_000)}}`)

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
    /expected text without U\+0000 .*found U\+0000/
  ],
  [
    "text that auditors could not read",
    JSON.stringify({
      ...envelope,
      command: { ...observeNode, node: { ...nodeObject("n9"), labels: { odd: "\ud800" } } }
    }),
    "LT0507",
    /found U\+D800/
  ],
  ["lists in each other, ever deeper", deepManifest(""), "LT0507", /at most 200 deep in each other, found deeper ones/],
  ["the same, and an escaped character", deepManifest("\u0001"), "LT0507", /at most 200 deep in each other/]
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

it.live("a report that cannot be kept is passed over and told of, and keeps no other from the wire journal", () =>
  Effect.gen(function* () {
    const lab = yield* makeCentreLab
    const one = yield* lab.allocator("one")
    yield* leads(one)
    const at = "2026-01-01T00:00:00.000Z"
    const session = { _tag: "Session", peer: "tor", change: "up", at, code: null, detail: "" }
    const stamp = { incarnation: 1, epoch: 1, seq: 1 }
    const vip = { _tag: "Applied", network: "default", cseq: 1, verdict: "Announced", trigger: "intent", peers: [] }
    const applied = { ...vip, stamp, address: "192.0.2.1", receivedAt: at, savedAt: at }
    const report = (cluster: string, node: string, ...entries: ReadonlyArray<unknown>) => ({
      subject: wireSubject(cluster, node),
      text: JSON.stringify({ _tag: "WireReport", cluster, node, entries })
    })
    yield* lab.within(
      publishAll([
        report("east", "n1", session),
        report("east", "n2", { ...session, detail: "\u0000" }),
        report("east", "n3", { ...applied, address: "no address" }),
        report("east", "n4", session, { ...applied, stamp: { ...stamp, epoch: 2 ** 40 } }),
        report("west", "n5", applied),
        { subject: wireSubject("west", "n6"), text: "{" },
        report("west", "n7", session)
      ])
    )
    yield* waitUntil(
      "the last report is kept",
      Effect.map(lab.sql("select node from wire_journal where node = 'n7'"), ({ length }) => length > 0),
      { deadlineMs: 20_000 }
    )
    const kept = yield* lab.sql(
      "select coalesce(node, detail -> 'entries' -> 0 ->> 'node') as node, kind from wire_journal order by id"
    )
    assert.sameMembers(
      kept.flatMap(({ node, kind }) => (kind === "unread" ? [] : node)),
      ["n1", "n5", "n7"]
    )
    assert.sameMembers(
      kept.flatMap(({ node, kind }) => (kind === "unread" ? node : [])),
      ["n2", "n3", "n4", "n6"],
      "and a row stands for each that is not"
    )
    assert.match(yield* one.process.log, /WARN .*LT0510 .* of east\/n2: /)
    const told = yield* one.get("/metrics")
    assert.match(told.body, /^lowtide_wire_reports_passed_over_total\S* 4$/m)
  }).pipe(Effect.scoped)
)
