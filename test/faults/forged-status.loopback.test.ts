import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { type Envelope, generateKey, readSigningKey, type SigningKey, seal, statusSubject } from "@lowtide/bus"
import type { NodeStatus } from "@lowtide/bus/status"
import { publishAll } from "@lowtide/bus/streams"
import type { Stamp } from "@lowtide/domain"
import { waitUntil } from "@lowtide/testkit/lab/index"
import { Effect } from "effect"
import { leads, makeCentreLab, type RunningAllocator } from "./centre-lab.ts"
import { announcing, service } from "./orders.ts"

const patient = { deadlineMs: 60_000 }
const beyond: Stamp = { incarnation: 1, epoch: 1, seq: 5_120 }

it.live("a status that says more than the log has is believed with the centre's signature alone, by the process", () =>
  Effect.gen(function* () {
    const lab = yield* makeCentreLab
    const one = yield* lab.allocator("one")
    yield* leads(one, patient.deadlineMs)
    for (const command of announcing) yield* lab.send(command)
    const proofOf = (stamp: Stamp, key: SigningKey, cluster = "east") =>
      JSON.parse(
        seal(key, JSON.stringify({ _tag: "ClusterHead", stamp, cseq: 99, cluster, digest: "00", count: 1 }))
      ) as Envelope
    const says = (node: string, more: Pick<NodeStatus, "stamp" | "proof">) => {
      const status: NodeStatus = {
        _tag: "NodeStatus",
        ...{ cluster: "east", node, at: "2026-01-01T00:00:00.000Z", runId: "forged", fleetVersion: 1, sync: "live" },
        ...{ cseq: 99, confirmedCseq: 0, sessions: [], announcing: [], refused: [] },
        ...more
      }
      return lab.within(publishAll([{ subject: statusSubject("east", node), text: JSON.stringify(status) }]))
    }
    const own = readSigningKey("k1", lab.privatePem)
    const other = readSigningKey("k1", generateKey().privatePem)
    const epoch = (yield* lab.sql("select max(epoch)::int as epoch from events"))[0]?.epoch
    const held = { incarnation: 1, epoch, seq: 2 }
    const told = ({ process }: RunningAllocator, text: RegExp) =>
      waitUntil(
        `the log says ${text}`,
        Effect.map(process.log, (log) => text.test(log)),
        patient
      )
    const losses = lab.sql("select type from events where type = 'HistoryLost'")
    yield* says("n1", { stamp: beyond })
    yield* told(one, /ERROR .*LT0511 .*node east\/n1 says that it is at 1\/1\/5120, .*it sends no head or message/)
    yield* says("n2", { stamp: beyond, proof: proofOf(beyond, other) })
    yield* told(one, /LT0511 .*node east\/n2 .*the signature by k1 does not fit/)
    yield* says("n3", { stamp: beyond, proof: proofOf(beyond, own, "west") })
    yield* told(one, /LT0511 .*node east\/n3 .*its proof is of cluster "west"/)
    yield* says("n4", { stamp: beyond, proof: proofOf(held, own) })
    yield* told(one, /LT0511 .*node east\/n4 .*its proof is of 1\//)
    assert.strictEqual((yield* lab.send(service("web")))._tag, "Done", "addresses are given")
    assert.deepStrictEqual(yield* losses, [])
    const findings: ReadonlyArray<{ readonly code: string; readonly object: { readonly name: string } }> =
      (yield* one.get("/v1/findings")).body.items
    assert.sameMembers(
      findings.flatMap(({ code, object }) => (code === "LT0511" ? object.name : [])),
      ["n1", "n2", "n3", "n4"]
    )
    assert.match((yield* one.get("/metrics")).body, /^lowtide_unproven_nodes\S* 4$/m)

    // A leader that begins reads the same statuses from NATS before it decides anything. This one signs by a new key.
    yield* one.process.stop
    const pair = generateKey()
    const keyFile = join(lab.folder, "k2.pem")
    writeFileSync(keyFile, pair.privatePem, { mode: 0o600 })
    const rotated = { LOWTIDE_SIGNING_KEY_FILE: keyFile, LOWTIDE_SIGNING_KEY_ID: "k2" }
    const two = yield* lab.allocator("two", rotated)
    yield* leads(two, patient.deadlineMs)
    assert.strictEqual((yield* lab.send(service("more")))._tag, "Done")
    yield* says("n5", { stamp: beyond, proof: proofOf(beyond, own) })
    yield* told(two, /LT0511 .*node east\/n5 .*expected a key of \[k2\], found "k1"/)
    yield* told(two, /WARN .*messages in effect are signed by \[k1\], .*LOWTIDE_TRUST_FILE/)
    assert.deepStrictEqual(yield* losses, [])

    yield* two.process.stop
    const trustFile = join(lab.folder, "trust.json")
    writeFileSync(trustFile, JSON.stringify({ intentKeys: { k1: lab.publicPem, k2: pair.publicPem } }))
    const three = yield* lab.allocator("three", { ...rotated, LOWTIDE_TRUST_FILE: trustFile })
    yield* waitUntil(
      "a recovery begins",
      Effect.map(losses, ({ length }) => length === 1),
      patient
    )
    assert.match(yield* three.process.log, /LT0505 .*node east\/n5 is at 1\/1\/5120/)
    assert.notMatch(yield* three.process.log, /messages in effect are signed by/)
  }).pipe(Effect.scoped)
)

it.live("an allocator does not start with a trust file that lacks its own key", () =>
  Effect.gen(function* () {
    const lab = yield* makeCentreLab
    const trustFile = join(lab.folder, "trust.json")
    for (const [keys, expected] of [
      [{ k0: lab.publicPem }, /expected the public half of the key k1 that signs among others, found \[k0\]/],
      [{ k1: generateKey().publicPem }, /found \[k1\], with another key of that name/],
      [{ k1: "" }, /expected \{intentKeys: \{id: PEM\}\}/]
    ] as const) {
      writeFileSync(trustFile, JSON.stringify({ intentKeys: keys }))
      const one = yield* lab.allocator("one", { LOWTIDE_TRUST_FILE: trustFile })
      assert.deepInclude(yield* one.process.ended, { code: 2 })
      assert.match(yield* one.process.log, expected)
    }
  }).pipe(Effect.scoped)
)
