import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { type Envelope, generateKey, open, readKeyRing } from "@lowtide/bus/envelope"
import { readStored } from "@lowtide/bus/read-stream"
import { publishAll } from "@lowtide/bus/streams"
import { stateFilter, stateStream, stateSubject } from "@lowtide/bus/subjects"
import { waitUntil } from "@lowtide/testkit/lab/index"
import { Effect, Result } from "effect"
import { leads, makeCentreLab } from "./centre-lab.ts"
import { announcing, service } from "./orders.ts"

const patient = { deadlineMs: 60_000 }

it.live("what a retired key has signed is signed anew by the next leader, and what it did not sign is left", () =>
  Effect.gen(function* () {
    const lab = yield* makeCentreLab
    const trustFile = join(lab.folder, "trust.json")
    const keyFile = join(lab.folder, "k2.pem")
    const pair = generateKey()
    writeFileSync(keyFile, pair.privatePem, { mode: 0o600 })
    const intentKeys = { k1: lab.publicPem, k2: pair.publicPem }
    const rotated = {
      LOWTIDE_SIGNING_KEY_FILE: keyFile,
      LOWTIDE_SIGNING_KEY_ID: "k2",
      LOWTIDE_TRUST_FILE: trustFile
    }
    const one = yield* lab.allocator("one")
    yield* leads(one, patient.deadlineMs)
    for (const command of [...announcing, ...["a", "b", "c"].map((name) => service(name))]) yield* lab.send(command)
    const texts = lab.sql("select subject, envelope from intent union all select 'head', envelope from intent_head")
    const said = Effect.map(texts, (rows) =>
      rows.map(({ subject, envelope }) => [subject, (JSON.parse(envelope) as Envelope).payload]).sort()
    )
    const before = yield* said
    const inNats = Effect.map(lab.within(readStored(stateStream, stateFilter("east"))), (stored) =>
      stored.map(({ text }) => text)
    )
    yield* waitUntil(
      "all is in NATS",
      Effect.map(inNats, ({ length }) => length === before.length),
      patient
    )
    yield* one.process.stop

    // Signed rightly, and said of something else: nobody is to say it by a key that is good.
    const [moved, other] = (yield* texts).filter(({ subject }) => subject.startsWith("adv."))
    yield* lab.sql(`update intent set envelope = '${other?.envelope}' where subject = '${moved?.subject}'`)
    // Its own word of who signed it is no signature.
    const forged = JSON.stringify({ payload: '{"_tag":"VipIntent"}', keyId: "k1", sig: "c2ln" })
    yield* lab.sql(`update intent set envelope = '${forged}' where subject = 'node.n1'`)
    writeFileSync(trustFile, JSON.stringify({ intentKeys, retired: ["k2"] }))
    const wrong = yield* lab.allocator("wrong", rotated)
    assert.deepInclude(yield* wrong.process.ended, { code: 2 })
    assert.match(yield* wrong.process.log, /expected a key that nodes believe, found k2, which .* says is retired/)

    writeFileSync(trustFile, JSON.stringify({ intentKeys }))
    const two = yield* lab.allocator("two", rotated)
    yield* leads(two, patient.deadlineMs)
    assert.strictEqual((yield* lab.send(service("a")))._tag, "Done", "which is so already")
    const isBy = (keyId: string) => (text: string) => (JSON.parse(text) as Envelope).keyId === keyId
    assert.isTrue((yield* inNats).every(isBy("k1")), "a key that is believed still is none to sign anew")
    yield* two.process.stop

    // Another leader has signed it anew, and ended before the ledger had it.
    const [half] = (yield* texts).filter(({ subject }) => subject.startsWith("svc."))
    const text = JSON.stringify({ ...(JSON.parse(half?.envelope) as Envelope), keyId: "k3" })
    yield* lab.within(publishAll([{ subject: stateSubject("east", half?.subject), text }]))
    writeFileSync(trustFile, JSON.stringify({ intentKeys, retired: ["k1"] }))
    const three = yield* lab.allocator("three", rotated)
    const count = before.length - 2
    const isDone = Effect.map(inNats, (stored) => stored.filter(isBy("k2")).length === count)
    yield* waitUntil("all that it signed is signed anew in NATS", isDone, patient)
    const keys = readKeyRing({ k2: pair.publicPem })
    const rows = yield* texts
    const good = rows.filter(({ envelope }) => Result.isSuccess(open(keys, envelope)))
    const left = ["node.n1", moved?.subject]
    assert.sameMembers(
      rows.flatMap((row) => (good.includes(row) ? [] : row.subject)),
      left
    )
    assert.strictEqual(good.length, count)
    const isUnchanged = ([subject]: ReadonlyArray<string>) => !left.includes(subject)
    assert.deepStrictEqual((yield* said).filter(isUnchanged), before.filter(isUnchanged))
    const line = new RegExp(`${count} messages signed by \\[k1\\], which .* believe no more, are signed anew by k2`)
    yield* waitUntil(
      "it says so",
      Effect.map(three.process.log, (log) => line.test(log)),
      patient
    )
    assert.strictEqual((yield* lab.send(service("d")))._tag, "Done")
  }).pipe(Effect.scoped)
)
