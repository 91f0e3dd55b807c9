import { assert, describe, it } from "@effect/vitest"
import type { KeptStreams } from "@lowtide/domain"
import { Effect, Exit, type Layer, Option, type Scope } from "effect"
import {
  type Batch,
  completeTree,
  type EventFilter,
  emptyBatch,
  Ledger,
  loadWhole,
  type NewEvent,
  type StoredCurrent,
  treeSource
} from "../src/index.ts"
import { leafHash } from "../src/proofs/leaf.ts"
import { Frontier, frontierAt } from "../src/proofs/merkle.ts"
import { assignment, event, historyRow, uuid } from "./rows.ts"

const intent = <Envelope extends string | null>(subject: string, seq: number, envelope: Envelope) => ({
  cluster: "a",
  subject,
  cseq: seq,
  seq,
  envelope
})

const head = (cluster: string, seq: number) =>
  ({ cluster, cseq: seq, seq, digest: `d${seq}`, count: seq, envelope: "{}" }) as const

const all: EventFilter = { limit: 1_000, order: "asc" }

const hex = (octets: Uint8Array) => Buffer.from(octets).toString("hex")

/** Everything the port can tell, to compare before and after. */
const everything = Effect.gen(function* () {
  const ledger = yield* Ledger
  const loaded = yield* loadWhole(ledger)
  return {
    head: loaded.head,
    current: [...loaded.current].sort((a, b) => a.stream.localeCompare(b.stream)),
    intents: [...loaded.intents].sort((a, b) => a.subject.localeCompare(b.subject)),
    intentHeads: loaded.intentHeads,
    events: yield* ledger.events(all),
    history: yield* ledger.history({ network: "default", address: "198.18.0.1" })
  }
})

const lead = Effect.gen(function* () {
  const ledger = yield* Ledger
  const lease = yield* ledger.acquireLease(uuid(9), 60_000)
  return { ledger, epoch: Option.getOrThrow(lease).epoch }
})

/** What every implementation of the `Ledger` port must do. `fresh` makes an empty ledger. */
export const ledgerContract = (name: string, fresh: Effect.Effect<Layer.Layer<Ledger>, unknown, Scope.Scope>) => {
  const test = (title: string, body: Effect.Effect<unknown, unknown, Ledger>) =>
    it.live(title, () => Effect.scoped(Effect.flatMap(fresh, (ledger) => Effect.asVoid(Effect.provide(body, ledger)))))

  describe(`${name}: append`, () => {
    test(
      "a new ledger is empty, at epoch 0",
      Effect.gen(function* () {
        const { head, current, intents, intentHeads, events } = yield* everything
        assert.deepInclude(head, { epoch: 0, seq: 0, commitSeq: 0 })
        assert.deepStrictEqual([current, intents, intentHeads, events], [[], [], [], []])
      })
    )

    test(
      "what is acknowledged can be read, seqs without gaps, one commit a batch",
      Effect.gen(function* () {
        const { ledger, epoch } = yield* lead
        const first = yield* ledger.append(assignment({ epoch, seq: 0 }, 1))
        const second = yield* ledger.append({
          ...emptyBatch({ epoch, seq: 1 }),
          events: [event("pool:public", 1), event("pool:public", 2), event("pool:other", 1)]
        })
        assert.deepInclude(first, { seq: 1, commitSeq: 1 })
        assert.deepInclude(second, { seq: 4, commitSeq: 2 })
        const events = yield* ledger.events(all)
        assert.deepStrictEqual(
          events.map(({ seq, commitSeq, epoch }) => [seq, commitSeq, epoch]),
          [
            [1, 1, epoch],
            [2, 2, epoch],
            [3, 2, epoch],
            [4, 2, epoch]
          ]
        )
        assert.isTrue(second.recordedAt >= first.recordedAt)
        assert.deepStrictEqual(
          events.map((event) => event.recordedAt),
          [first.recordedAt, second.recordedAt, second.recordedAt, second.recordedAt]
        )
        const { eventId, leafHash: _, ...rest } = events[0]!
        assert.match(eventId, /^[0-9a-f-]{36}$/)
        const { events: sent } = assignment({ epoch, seq: 0 }, 1)
        assert.deepStrictEqual(rest, { ...sent[0]!, seq: 1, epoch, commitSeq: 1, recordedAt: first.recordedAt })
      })
    )

    test(
      "the bytes of payloads survive",
      Effect.gen(function* () {
        const { ledger, epoch } = yield* lead
        const data = '{"b":1.0, "a":1e3,"c":"\\u00e9\\u0000","a":[ ]}'
        const meta = '{"words":"caf\u00e9 \u{1f30a}", "big":12345678901234567890}'
        const state = '{ "z":1.50,"a":null }'
        yield* ledger.append({
          ...emptyBatch({ epoch, seq: 0 }),
          events: [event("pool:public", 1, { data, meta })],
          current: [{ stream: "pool:public", kind: "pool", version: 1, previousVersion: 0, seq: 1, schema: 1, state }],
          results: [{ commandId: uuid(1), outcome: data }]
        })
        const [stored] = yield* ledger.events(all)
        assert.deepStrictEqual([stored?.data, stored?.meta], [data, meta])
        assert.strictEqual((yield* loadWhole(ledger)).current[0]?.state, state)
        assert.strictEqual(Option.getOrThrow(yield* ledger.commandResult(uuid(1))).outcome, data)
      })
    )

    test(
      "an event's leaf is answered, stored, and follows from the event as it is read",
      Effect.gen(function* () {
        const { ledger, epoch } = yield* lead
        const observedAt = "2026-11-23T14:05:01.1239+00:00"
        const odd = { data: '{"é": "\\u00e9" }', meta: '{"words":"\u{1f30a}"}', namespace: "", causationSeq: 7 }
        const addresses = ["192.0.2.1", "2001:db8::", "2001:db8::1:0:0:1", "2001:db8:0:1:1:1:1:1", "::ffff:192.0.2.1"]
        const first = yield* ledger.append({
          ...emptyBatch({ epoch, seq: 0 }),
          events: addresses.map((address, index) => event("vip:a", index + 1, { address, observedAt, ...odd }))
        })
        const second = yield* ledger.append(assignment({ epoch, seq: addresses.length }, 1))
        const none = yield* ledger.append(emptyBatch({ epoch, seq: second.seq }))
        const events = yield* ledger.events(all)
        const leaves = [...first.leaves, ...second.leaves, ...none.leaves].map(hex)
        assert.strictEqual(leaves.length, events.length)
        assert.deepStrictEqual(
          events.map((event) => event.leafHash),
          leaves
        )
        assert.deepStrictEqual(
          events.map((event) => hex(leafHash(event))),
          leaves
        )
      })
    )

    test(
      "the tree's stored nodes are completed once, and lead to the same edge as adding leaf by leaf",
      Effect.gen(function* () {
        const { ledger, epoch } = yield* lead
        const frontier = new Frontier()
        for (let seq = 0; seq < 1_100; seq += 275) {
          const events = Array.from({ length: 275 }, (_, index) => event("pool:public", seq + index + 1))
          const { leaves } = yield* ledger.append({ ...emptyBatch({ epoch, seq }), events })
          for (const leaf of leaves) frontier.append(leaf)
          // What a leader that ended before it wrote its nodes leaves to the next.
          if (seq !== 275) yield* completeTree(ledger, seq + 275)
        }
        assert.strictEqual(yield* ledger.treeNodeCount(1), 4)
        assert.strictEqual(yield* ledger.treeNodeCount(2), 0)
        const recovered = yield* frontierAt(treeSource(ledger), 1_100)
        assert.strictEqual(hex(recovered.root()), hex(frontier.root()))
        const damaged = yield* Effect.flip(frontierAt(treeSource(ledger), 1_101))
        assert.include(damaged.message, "expected event 1101, found none")
        yield* ledger.saveTreeNodes([{ level: 1, index: 0, hash: new Uint8Array(32) }])
        assert.notStrictEqual(hex((yield* ledger.treeHashes(1, 0, 1))[0]!.hash), "00".repeat(32))
      })
    )

    test(
      "signed checkpoints are kept once, in the order of incarnation and size",
      Effect.gen(function* () {
        const { ledger } = yield* lead
        const checkpoints = [
          { incarnation: 1, treeSize: 9, note: "a" },
          { incarnation: 1, treeSize: 20, note: "b" },
          { incarnation: 2, treeSize: 10, note: "c" }
        ]
        for (const checkpoint of checkpoints.toReversed()) yield* ledger.saveSignedCheckpoint(checkpoint)
        yield* ledger.saveSignedCheckpoint({ incarnation: 1, treeSize: 9, note: "another" })
        assert.deepStrictEqual(yield* ledger.signedCheckpoints({ limit: 10, order: "asc" }), checkpoints)
        assert.deepStrictEqual(
          yield* ledger.signedCheckpoints({ sinceSize: 10, limit: 1, order: "desc" }),
          checkpoints.slice(2)
        )
      })
    )

    test(
      "another epoch, or a batch that is stored already, is fenced and writes nothing",
      Effect.gen(function* () {
        const { ledger, epoch } = yield* lead
        const batch = assignment({ epoch, seq: 0 }, 1)
        yield* ledger.append(batch)
        const before = yield* everything
        const again = yield* Effect.flip(ledger.append(batch))
        const older = yield* Effect.flip(ledger.append(assignment({ epoch: epoch - 1, seq: 1 }, 2)))
        const ahead = yield* Effect.flip(ledger.append(assignment({ epoch, seq: 7 }, 2)))
        assert.deepStrictEqual([again._tag, older._tag, ahead._tag], ["Fenced", "Fenced", "Fenced"])
        assert.include(older.message, `expected at epoch ${epoch - 1} seq 1, and is at epoch ${epoch} seq 1`)
        assert.deepStrictEqual(yield* everything, before)
      })
    )

    test(
      "a state that is not the one decided on refuses the whole batch",
      Effect.gen(function* () {
        const { ledger, epoch } = yield* lead
        yield* ledger.append(assignment({ epoch, seq: 0 }, 1))
        const before = yield* everything
        const conflicting = (stream: string, previousVersion: number): Batch => {
          const batch = assignment({ epoch, seq: 1 }, 2)
          const row = {
            stream,
            kind: "vip",
            version: previousVersion + 1,
            previousVersion,
            seq: 2,
            schema: 1,
            state: "{}"
          }
          return { ...batch, current: [...batch.current, row] }
        }
        const stored = "vip:default/198.18.0.1"
        const newer = yield* Effect.flip(ledger.append(conflicting(stored, 2)))
        const created = yield* Effect.flip(ledger.append(conflicting(stored, 0)))
        const missing = yield* Effect.flip(ledger.append(conflicting("vip:default/198.18.0.9", 4)))
        assert.deepStrictEqual(
          [newer._tag, created._tag, missing._tag],
          ["ProjectionConflict", "ProjectionConflict", "ProjectionConflict"]
        )
        assert.include(newer.message, `stream ${stored}: expected version 2, found 1`)
        assert.include(created.message, `stream ${stored}: expected version 0, found 1`)
        assert.include(missing.message, "expected version 4, found 0")
        assert.deepStrictEqual(yield* everything, before)
      })
    )

    test(
      "a command is answered once",
      Effect.gen(function* () {
        const { ledger, epoch } = yield* lead
        assert.isTrue(Option.isNone(yield* ledger.commandResult(uuid(5))))
        const results = [{ commandId: uuid(5), outcome: '{"_tag":"Refused"}' }]
        const { recordedAt } = yield* ledger.append({ ...emptyBatch({ epoch, seq: 0 }), results })
        assert.deepStrictEqual(yield* ledger.commandResult(uuid(5)), Option.some({ ...results[0]!, recordedAt }))
        const twice = yield* Effect.flip(ledger.append({ ...assignment({ epoch, seq: 0 }, 1), results }))
        assert.strictEqual(twice._tag, "ProjectionConflict")
        assert.deepStrictEqual(yield* ledger.events(all), [])
      })
    )

    test(
      "results of commands go when they are old, some at once, and nothing else goes",
      Effect.gen(function* () {
        const { ledger, epoch } = yield* lead
        const results = [5, 6, 7].map((name) => ({ commandId: uuid(name), outcome: "{}" }))
        const { recordedAt } = yield* ledger.append({ ...assignment({ epoch, seq: 0 }, 1), results })
        assert.strictEqual(yield* ledger.dropCommandResults(recordedAt, 10), 0)
        const later = new Date(Date.parse(recordedAt) + 1).toISOString()
        const counts = [yield* ledger.dropCommandResults(later, 2), yield* ledger.dropCommandResults(later, 2)]
        assert.deepStrictEqual(counts, [2, 1])
        assert.isTrue(Option.isNone(yield* ledger.commandResult(uuid(5))))
        assert.lengthOf(yield* ledger.events(all), 1)
      })
    )

    test(
      "a key that stands twice in a batch is a defect",
      Effect.gen(function* () {
        const { ledger, epoch } = yield* lead
        const batch = assignment({ epoch, seq: 0 }, 1)
        const exit = yield* Effect.exit(ledger.append({ ...batch, intents: [...batch.intents, ...batch.intents] }))
        assert.isTrue(Exit.hasDies(exit))
        assert.deepStrictEqual(yield* ledger.events(all), [])
      })
    )

    test(
      "a stream that is gone keeps its version, and goes on from there",
      Effect.gen(function* () {
        const { ledger, epoch } = yield* lead
        const stream = "service:a/default/web"
        const row = { stream, kind: "service" }
        yield* ledger.append({
          ...emptyBatch({ epoch, seq: 0 }),
          events: [event(stream, 1), event(stream, 2)],
          current: [{ ...row, version: 2, previousVersion: 0, seq: 2, schema: 2, state: "{}" }]
        })
        const gone = yield* ledger.append({
          ...emptyBatch({ epoch, seq: 2 }),
          events: [event(stream, 3)],
          current: [{ ...row, version: 3, previousVersion: 2, seq: 3, schema: 1, state: null }]
        })
        const { current } = yield* loadWhole(ledger)
        assert.deepStrictEqual(current, [
          { ...row, version: 3, seq: 3, schema: 1, state: null, recordedAt: gone.recordedAt, isAsWritten: false }
        ])
        yield* ledger.append({
          ...emptyBatch({ epoch, seq: 3 }),
          events: [event(stream, 4)],
          current: [{ ...row, version: 4, previousVersion: 3, seq: 4, schema: 1, state: '{"back":true}' }]
        })
        assert.strictEqual((yield* loadWhole(ledger)).current[0]?.state, '{"back":true}')
      })
    )

    test(
      "rows of a load that are kept where they are can be looked up",
      Effect.gen(function* () {
        const { ledger, epoch } = yield* lead
        const streams = Array.from({ length: 3_000 }, (_, n) => `service:a/default/web-${n}-\u{1f30a}`)
        for (let start = 0; start < streams.length; start += 1_000) {
          const some = streams.slice(start, start + 1_000)
          yield* ledger.append({
            ...emptyBatch({ epoch, seq: start }),
            events: some.map((stream) => event(stream, 1)),
            current: some.map((stream, index) => ({
              ...{ stream, kind: "service", version: 1, previousVersion: 0, seq: start + index + 1, schema: 3 },
              state: index % 7 === 0 ? null : `{"name":"${stream}","long":"${"x".repeat(index)}"}`
            }))
          })
        }
        let kept: KeptStreams | undefined
        const rows: Array<StoredCurrent> = []
        yield* ledger.load({
          head: () => undefined,
          current: (row, keeper) => {
            rows.push(row)
            if (row.state === null) return
            kept = keeper.streams
            assert.strictEqual(keeper.keep(), kept.find(row.stream))
          }
        })
        assert.strictEqual(rows.length, streams.length)
        for (const { stream, version, seq, schema, state, recordedAt } of rows) {
          const row = kept?.find(stream)
          if (state === null) assert.isUndefined(row)
          if (kept === undefined || row === undefined || state === null) continue
          assert.deepStrictEqual([kept.version(row), kept.seq(row), kept.recordedAt(row)], [version, seq, recordedAt])
          assert.deepInclude(kept.state(row), { stream, seq, schema, state })
        }
        assert.isUndefined(kept?.find("service:a/default/web-1"))
        const there = rows.filter(({ state }) => state !== null).map(({ stream }) => stream)
        assert.deepStrictEqual([...(kept?.streams() ?? [])], there)
      })
    )

    test(
      "changes are what of events changes the state, from a seq on",
      Effect.gen(function* () {
        const { ledger, epoch } = yield* lead
        const gone = '{"before":{"n":1},"after":null}'
        // Nobody can store these any more, and logs of before have them.
        const odd = ["\\u0000", "\\ud83d", "\\\\\\ude00\\u0000", "\\\\u0000 \u{1f30a}", ""]
        const told: ReadonlyArray<readonly [stream: string, data: string, after: string | null]> = [
          ["pool:p", '{"before":{"after":1},"after":{"_tag":"P","b":[1,"\\u001f"]}}', null],
          ["pool:p", gone, null],
          ["pool:\x1fq", '{"other":1}', null],
          [
            "vip:\u{1f30a}",
            '{"before":{"_tag":"Vip"},"after":{"_tag":"Vip","t":"\u{1f30a}"}}',
            '{"_tag":"Vip","t":"\u{1f30a}"}'
          ],
          ["vip:\u{1f30a}", '{"before":{"_tag":"Vip"},"after":null}', null],
          ["service:a", '{"after":{"t":1}}', null],
          [
            "service:a",
            String.raw`{"before":null,"after":{"_tag":",\"after\":{\"_tag\":\""}}`,
            String.raw`{"_tag":",\"after\":{\"_tag\":\""}`
          ],
          ...odd.map((text) => {
            const after = `{"_tag":"Service","t":"${text}","n":1.5}`
            return ["service:r", `{"before":{"_tag":"Service","t":"${text}"},"after":${after}}`, after] as const
          })
        ]
        const versions = new Map<string, number>()
        const events = told.map(([stream, data]) => {
          const version = (versions.get(stream) ?? 0) + 1
          versions.set(stream, version)
          return { ...event(stream, version), data }
        })
        yield* ledger.append({ ...emptyBatch({ epoch, seq: 0 }), events })
        const whole = yield* ledger.events(all)
        const changes = whole.map(({ seq, stream, version, type, schema, recordedAt, commitSeq, data }, place) => {
          const after = told[place]?.[2] ?? null
          const rest = { after, data: after === null ? data : null }
          return { seq, epoch, commitSeq, stream, version, type, schema, recordedAt, ...rest }
        })
        assert.deepStrictEqual(yield* ledger.changes(1, events.length), changes)
        assert.deepStrictEqual(yield* ledger.changes(2, 1), changes.slice(1, 2))
        assert.deepStrictEqual(yield* ledger.changes(events.length + 1, 10), [])
      })
    )

    test(
      "intents are the last of their subject until removed, heads the last of their cluster",
      Effect.gen(function* () {
        const { ledger, epoch } = yield* lead
        yield* ledger.append({
          ...emptyBatch({ epoch, seq: 0 }),
          intents: [intent("x", 1, "x1"), intent("y", 1, "y1")],
          intentHeads: [head("a", 1), head("b", 1)]
        })
        yield* ledger.append({
          ...emptyBatch({ epoch, seq: 0 }),
          intents: [
            intent("x", 2, "x2"),
            intent("y", 2, null),
            intent("unknown", 2, null),
            { ...intent("z", 2, "z2"), summary: "z" }
          ],
          intentHeads: [{ ...head("a", 2), begunCseq: 1 }]
        })
        const { intents, intentHeads } = yield* loadWhole(ledger)
        assert.deepStrictEqual(intents, [
          { ...intent("x", 2, "x2"), summary: null },
          { ...intent("z", 2, null), summary: "z" }
        ])
        assert.deepStrictEqual(yield* ledger.intentsSince("a", 1), [intent("x", 2, "x2"), intent("z", 2, "z2")])
        const heads = [{ ...head("a", 2), begunCseq: 1 }, head("b", 1)]
        assert.sameDeepMembers([...intentHeads], heads)
        assert.deepStrictEqual(yield* ledger.intentHeads, heads)
        yield* ledger.append({
          ...emptyBatch({ epoch, seq: 0 }),
          intents: [intent("z", 4, "z4"), intent("w", 3, "w3"), { ...intent("v", 5, "v5"), cluster: "b" }]
        })
        const since = (cseq: number) =>
          Effect.map(ledger.intentsSince("a", cseq), (rows) => rows.map((row) => row.envelope))
        assert.deepStrictEqual(yield* Effect.forEach([0, 2, 4], since), [["x2", "w3", "z4"], ["w3", "z4"], []])
      })
    )
  })

  describe(`${name}: signers`, () => {
    test(
      "are counted over what is in effect, heads included, and by nothing that a payload says",
      Effect.gen(function* () {
        const { ledger, epoch } = yield* lead
        const signed = (keyId: string, payload = "{}") => JSON.stringify({ payload, keyId, sig: "c2ln" })
        const pretending = signed("old", JSON.stringify({ note: '"keyId":"none","sig":"x"}' }))
        yield* ledger.append({
          ...emptyBatch({ epoch, seq: 0 }),
          intents: [intent("x", 1, signed("old")), intent("y", 1, signed("old")), intent("z", 1, pretending)],
          intentHeads: [{ ...head("a", 1), envelope: signed("old") }]
        })
        assert.deepStrictEqual([...(yield* ledger.signedBy)], [["old", 4]])
        yield* ledger.append({
          ...emptyBatch({ epoch, seq: 0 }),
          intents: [intent("x", 2, signed("new", "x".repeat(5_000)))],
          intentHeads: [{ ...head("a", 2), envelope: signed("new") }]
        })
        assert.deepStrictEqual(
          new Map(yield* ledger.signedBy),
          new Map([
            ["new", 2],
            ["old", 2]
          ])
        )
      })
    )
  })

  describe(`${name}: signatures`, () => {
    test(
      "are exchanged by who leads, in the place of the text that is named, and of no other",
      Effect.gen(function* () {
        const { ledger, epoch } = yield* lead
        const signed = (keyId: string, payload: string) => JSON.stringify({ payload, keyId, sig: "c2ln" })
        const texts = ["x", "y", "z"].map((subject, n) => intent(subject, n + 1, signed("old", subject)))
        yield* ledger.append({
          ...emptyBatch({ epoch, seq: 0 }),
          intents: [...texts, intent("w", 4, signed("new", "w"))],
          intentHeads: [{ ...head("a", 4), envelope: signed("old", "head") }]
        })
        const by = (keyId: string, sinceCseq = 0, limit = 10) =>
          Effect.map(ledger.subjectsSignedBy([keyId, "none"], { cluster: "a", sinceCseq, limit }), (rows) =>
            rows.map(({ subject }) => subject)
          )
        assert.deepStrictEqual(yield* by("old"), ["x", "y", "z"])
        assert.deepStrictEqual(yield* by("old", 0, 2), ["x", "y"])
        assert.deepStrictEqual(yield* by("old", 2), ["z"])
        const said = (...subjects: ReadonlyArray<string>) =>
          Effect.map(ledger.signedTexts("a", subjects), (rows) =>
            rows.map(({ cluster, subject, cseq, envelope }) => [cluster, subject, cseq, JSON.parse(envelope).payload])
          )
        assert.deepStrictEqual(yield* said("y", "x", "none"), [
          ["a", "x", 1, "x"],
          ["a", "y", 2, "y"]
        ])
        yield* ledger.append({ ...emptyBatch({ epoch, seq: 0 }), intents: [intent("y", 5, signed("old", "y5"))] })
        const anew = [
          ...["x", "y"].map((subject) => ({ subject, says: subject })),
          { subject: null, says: "head" }
        ].map(({ subject, says }) => {
          const [former, envelope] = [signed("old", says), signed("new", says)]
          return { cluster: "a", subject, former, envelope }
        })
        assert.isFalse(yield* ledger.signAnew(epoch + 1, anew))
        assert.deepStrictEqual(yield* by("new"), ["w"], "of another leader nothing is taken")
        assert.isTrue(yield* ledger.signAnew(epoch, anew))
        assert.deepStrictEqual(
          [yield* by("new"), yield* by("old")],
          [
            ["x", "w"],
            ["z", "y"]
          ],
          "what is newer by now stays"
        )
        assert.deepStrictEqual(yield* said("y"), [["a", "y", 5, "y5"]])
        assert.deepStrictEqual((yield* ledger.intentHeads)[0]?.envelope, signed("new", "head"))
      })
    )
  })

  describe(`${name}: history`, () => {
    test(
      "a VIP's stretches follow each other, also several in one batch, and never overlap",
      Effect.gen(function* () {
        const { ledger, epoch } = yield* lead
        const vip = { network: "default", address: "2001:db8::10" }
        const events = (count: number) => Array.from({ length: count }, (_, index) => event("vip:x", index + 1))
        const first = yield* ledger.append({
          ...emptyBatch({ epoch, seq: 0 }),
          events: events(2),
          history: [historyRow(vip.address, 2), historyRow("192.0.2.1", 1)]
        })
        const second = yield* ledger.append({
          ...emptyBatch({ epoch, seq: 2 }),
          events: events(3),
          history: [historyRow(vip.address, 5, "free"), historyRow(vip.address, 3, "withdrawing")]
        })
        const rows = yield* ledger.history(vip)
        assert.deepStrictEqual(
          rows.map(({ fromSeq, toSeq, state, validFrom, validTo }) => [fromSeq, toSeq, state, validFrom, validTo]),
          [
            [2, 3, "assigned", first.recordedAt, second.recordedAt],
            [3, 5, "withdrawing", second.recordedAt, second.recordedAt],
            [5, null, "free", second.recordedAt, null]
          ]
        )
        assert.strictEqual(rows[0]?.holders, '[{"seq":2}]')
        assert.strictEqual((yield* ledger.history({ ...vip, network: "other" })).length, 0)
      })
    )

    test(
      "who held a VIP at a time",
      Effect.gen(function* () {
        const { ledger, epoch } = yield* lead
        const vip = { network: "default", address: "198.18.0.1" }
        const before = yield* ledger.now
        yield* untilAfter(before)
        const { recordedAt: assigned } = yield* ledger.append(assignment({ epoch, seq: 0 }, 1))
        yield* untilAfter(assigned)
        const { recordedAt: freed } = yield* ledger.append({
          ...emptyBatch({ epoch, seq: 1 }),
          events: [event("vip:default/198.18.0.1", 2)],
          history: [historyRow(vip.address, 2, "free")]
        })
        const stateAt = (at: string) => Effect.map(ledger.holderAt({ ...vip, at }), (row) => row?.state ?? null)
        assert.isNull(yield* stateAt(before))
        assert.strictEqual(yield* stateAt(assigned), "assigned")
        assert.strictEqual(yield* stateAt(new Date(Date.parse(freed) - 1).toISOString()), "assigned")
        assert.strictEqual(yield* stateAt(freed), "free")
        assert.strictEqual(yield* stateAt("2999-01-01T00:00:00Z"), "free")
        assert.isNull(yield* ledger.holderAt({ ...vip, address: "198.18.0.2", at: freed }))
        assert.deepStrictEqual(
          yield* Effect.forEach([before, assigned, freed, "2999-01-01T00:00:00Z"], ledger.headAt),
          [0, 1, 2, 2]
        )
      })
    )
  })

  describe(`${name}: events`, () => {
    test(
      "are found by each field, in both orders, in pages",
      Effect.gen(function* () {
        const { ledger, epoch } = yield* lead
        const fields = { network: "blue", address: "192.0.2.7", cluster: "a", namespace: "shop", service: "web" }
        const observedAt = "2026-01-02T03:04:05.678Z"
        yield* ledger.append({
          ...emptyBatch({ epoch, seq: 0 }),
          events: [
            event("vip:blue/192.0.2.7", 1, { ...fields, pool: "p", serviceUid: "u", observedAt, causationSeq: 1 }),
            event("vip:blue/192.0.2.7", 2, { ...fields, network: "red", correlationId: uuid(2) }),
            event("service:a/shop/web", 1, { cluster: "a", namespace: "shop", service: "api" }),
            event("pool:p", 1, { cluster: "b", namespace: "ops", address: "2001:db8::7" })
          ]
        })
        const seqs = (filter: Partial<EventFilter>) =>
          Effect.map(ledger.events({ ...all, ...filter }), (events) => events.map((event) => event.seq))
        const found = yield* Effect.all({
          address: seqs({ address: "192.0.2.7" }),
          address6: seqs({ address: "2001:db8::7" }),
          prefix: seqs({ prefix: "192.0.2.0/28" }),
          prefix6: seqs({ prefix: "2001:db8::/64" }),
          prefixElsewhere: seqs({ prefix: "192.0.2.8/29" }),
          prefixOfAll: seqs({ prefix: "0.0.0.0/0" }),
          network: seqs({ network: "blue", address: "192.0.2.7" }),
          cluster: seqs({ cluster: "a" }),
          namespace: seqs({ namespace: "ops" }),
          service: seqs({ cluster: "a", namespace: "shop", service: "web" }),
          stream: seqs({ stream: "service:a/shop/web" }),
          correlation: seqs({ correlationId: uuid(2) }),
          between: seqs({ sinceSeq: 2, untilSeq: 3 }),
          lastTwo: seqs({ order: "desc", limit: 2 }),
          nothing: seqs({ cluster: "c" })
        })
        assert.deepStrictEqual(found, {
          address: [1, 2],
          address6: [4],
          prefix: [1, 2],
          prefix6: [4],
          prefixElsewhere: [],
          prefixOfAll: [1, 2],
          network: [1],
          cluster: [1, 2, 3],
          namespace: [4],
          service: [1, 2],
          stream: [3],
          correlation: [2],
          between: [2, 3],
          lastTwo: [4, 3],
          nothing: []
        })
        assert.isTrue(yield* ledger.hasEvent({ cluster: "b", namespace: "ops" }))
        assert.isFalse(yield* ledger.hasEvent({ cluster: "a", namespace: "ops" }))
        const [first] = yield* ledger.events({ ...all, limit: 1 })
        assert.deepInclude(first, { ...fields, pool: "p", serviceUid: "u", observedAt, causationSeq: 1 })
      })
    )
  })

  describe(`${name}: who runs`, () => {
    test(
      "allocators are listed by name with how far they are, and who holds the lease leads",
      Effect.gen(function* () {
        const ledger = yield* Ledger
        yield* ledger.acquireLease(uuid(2), 60_000)
        yield* ledger.reportAllocator({
          id: uuid(2),
          name: "b",
          url: "http://127.0.0.1:7070",
          position: 4,
          fleetVersion: 2
        })
        yield* ledger.reportAllocator({ id: uuid(1), name: "a", url: null, position: 0, fleetVersion: 1 })
        yield* ledger.reportAllocator({ id: uuid(1), name: "a", url: null, position: 3, fleetVersion: 1 })
        const listed = yield* ledger.allocators
        assert.deepStrictEqual(
          listed.map(({ id, name, url, position, leads }) => [id, name, url, position, leads]),
          [
            [uuid(1), "a", null, 3, false],
            [uuid(2), "b", "http://127.0.0.1:7070", 4, true]
          ]
        )
        yield* ledger.forgetAllocator(uuid(1))
        assert.lengthOf(yield* ledger.allocators, 1)
      })
    )
  })

  describe(`${name}: incarnations`, () => {
    test(
      "the leader raises the incarnation, never lowers it, and takes off the order to recover",
      Effect.gen(function* () {
        const { ledger, epoch } = yield* lead
        assert.strictEqual(yield* ledger.recoveryOrder, null)
        yield* ledger.orderRecovery("restored")
        yield* ledger.orderRecovery("restored again")
        yield* ledger.raiseIncarnation(epoch - 1, 7)
        assert.strictEqual((yield* ledger.head).incarnation, 1, "another epoch leads")
        assert.strictEqual(yield* ledger.recoveryOrder, "restored again")
        yield* ledger.raiseIncarnation(epoch, 3)
        yield* ledger.raiseIncarnation(epoch, 2)
        assert.strictEqual((yield* ledger.head).incarnation, 3)
        assert.strictEqual(yield* ledger.recoveryOrder, null)
        assert.deepStrictEqual((yield* loadWhole(ledger)).head, yield* ledger.head)
      })
    )
  })

  describe(`${name}: lease`, () => {
    test(
      "has one holder at a time, and every holder an epoch of its own that the head carries",
      Effect.gen(function* () {
        const ledger = yield* Ledger
        const contenders = Array.from({ length: 20 }, (_, index) => ledger.acquireLease(uuid(index), 60_000))
        const won = (yield* Effect.all(contenders, { concurrency: "unbounded" })).filter(Option.isSome)
        assert.deepStrictEqual(
          won.map((lease) => lease.value.epoch),
          [1]
        )
        assert.strictEqual((yield* ledger.head).epoch, 1)
        assert.isTrue(yield* ledger.renewLease(1, 60_000))
        assert.isFalse(yield* ledger.renewLease(2, 60_000))
        yield* ledger.releaseLease(2)
        assert.isTrue(Option.isNone(yield* ledger.acquireLease(uuid(2), 60_000)))
        yield* ledger.releaseLease(1)
        assert.isFalse(yield* ledger.renewLease(1, 60_000))
        assert.deepStrictEqual(yield* ledger.acquireLease(uuid(2), 60_000), Option.some({ epoch: 2 }))
        assert.strictEqual((yield* ledger.head).epoch, 2)
      })
    )

    test(
      "is lost by time, and cannot be renewed after",
      Effect.gen(function* () {
        const ledger = yield* Ledger
        yield* ledger.acquireLease(uuid(1), 5)
        const start = yield* ledger.now
        yield* untilAfter(new Date(Date.parse(start) + 5).toISOString())
        assert.isFalse(yield* ledger.renewLease(1, 60_000))
        assert.deepStrictEqual(yield* ledger.acquireLease(uuid(2), 60_000), Option.some({ epoch: 2 }))
      })
    )
  })

  describe(`${name}: wire journal`, () => {
    test(
      "rows and the checkpoint are saved together and found by each field",
      Effect.gen(function* () {
        const ledger = yield* Ledger
        const vip = { network: "default", address: "192.0.2.1", stampIncarnation: 1, stampEpoch: 1, stampSeq: 7 }
        const rows = [
          { cluster: "a", kind: "session-up", node: "n1", peer: "192.0.2.254", detail: '{"b": 1.0}' },
          { cluster: "a", ...vip, kind: "applied", node: "n1", detail: "{}" },
          { cluster: "b", ...vip, kind: "applied", detail: "{}" }
        ]
        assert.isTrue(Option.isNone(yield* ledger.checkpoint("status")))
        const first = { name: "status", version: 1, position: 41, after: 0 }
        assert.isTrue(yield* ledger.appendWire(rows, first))
        assert.isFalse(yield* ledger.appendWire(rows, first), "a repeat whose answer was lost writes nothing")
        assert.isFalse(yield* ledger.appendWire(rows, { ...first, position: 50, after: 40 }), "nor another reader")
        assert.isTrue(yield* ledger.appendWire([], { ...first, position: 7, after: 41 }), "a wiped stream begins again")
        assert.isTrue(yield* ledger.appendWire([]))
        yield* ledger.saveCheckpoint({ name: "status", version: 1, position: 42 })
        yield* ledger.saveCheckpoint({ name: "other", version: 3, position: 1 })
        assert.deepStrictEqual(
          yield* ledger.checkpoint("status"),
          Option.some({ name: "status", version: 1, position: 42 })
        )
        yield* ledger.saveCheckpoint({ name: "status", version: 2, position: 3 })
        assert.strictEqual(Option.getOrThrow(yield* ledger.checkpoint("status")).version, 2)

        const stored = yield* ledger.wire({ limit: 10, order: "asc" })
        assert.deepStrictEqual(
          stored.map(({ id: _, recordedAt: __, ...row }) => row),
          rows
        )
        const ids = stored.map((row) => row.id)
        const found = yield* Effect.all({
          vip: ledger.wire({ network: "default", address: "192.0.2.1", limit: 9, order: "desc" }),
          cluster: ledger.wire({ cluster: "a", limit: 9, order: "asc" }),
          node: ledger.wire({ node: "n1", kind: "applied", limit: 9, order: "asc" }),
          since: ledger.wire({ sinceId: ids[0]!, limit: 1, order: "asc" })
        })
        assert.deepStrictEqual(
          Object.values(found).map((rows) => rows.map((row) => ids.indexOf(row.id))),
          [[2, 1], [0, 1], [1], [1]]
        )
      })
    )
  })

  describe(`${name}: what was so`, () => {
    test(
      "the state after any event is what a load answered then, tombstones included",
      Effect.gen(function* () {
        const { ledger, epoch } = yield* lead
        const versions = new Map<string, number>()
        const write = (states: Readonly<Record<string, string | null>>) =>
          Effect.gen(function* () {
            const { seq } = yield* ledger.head
            const rows = Object.entries(states).map(([stream, state], index) => {
              const previousVersion = versions.get(stream) ?? 0
              versions.set(stream, previousVersion + 1)
              return {
                stream,
                kind: "pool",
                version: previousVersion + 1,
                previousVersion,
                seq: seq + 1 + index,
                schema: 1,
                state
              }
            })
            yield* ledger.append({
              ...emptyBatch({ epoch, seq }),
              events: rows.map(({ stream, version, state }) =>
                event(stream, version, { data: `{"before":null,"after":${state ?? "null"}}` })
              ),
              current: rows
            })
            const { head, current } = yield* loadWhole(ledger)
            const found = current.map(({ isAsWritten: _, ...row }) => row)
            return { seq: head.seq, current: found.sort((left, right) => left.seq - right.seq) }
          })
        const seen = [
          yield* write({ "pool:a": '{"b":1,"a":[]}', "pool:b": "2" }),
          yield* write({ "pool:a": '{"t":"\\u0000\\ud83d","n":1.5}' }), // as in logs of before
          yield* write({ "pool:b": null, "pool:c": "5" }),
          yield* write({ "pool:b": "6", "pool:a": "7" })
        ]
        for (const { seq, current } of seen) assert.deepStrictEqual(yield* ledger.stateAt(seq), current, `after ${seq}`)
        assert.deepStrictEqual(yield* ledger.stateAt(0), [])
        const first = yield* ledger.stateAt(1)
        assert.deepStrictEqual(
          first.map(({ stream, version, state }) => [stream, version, state]),
          [["pool:a", 1, '{"b":1,"a":[]}']]
        )
      })
    )

    test(
      "who asked what is kept, the newest first, by actor, time and id",
      Effect.gen(function* () {
        const { ledger } = yield* lead
        const question = (actor: string, text: string) =>
          ledger.recordRead({ actor, isAuthenticated: actor !== "local:ben", question: text, position: 7 })
        yield* question("person:ada", "/v1/history")
        yield* question("local:ben", "/v1/diff?from=1")
        yield* question("person:ada", "/v1/vips/192.0.2.1/holder?at=3")
        const all = yield* ledger.auditReads({ limit: 10 })
        assert.deepStrictEqual(
          all.map(({ readAt: _, ...read }) => read),
          [
            {
              id: 3,
              actor: "person:ada",
              isAuthenticated: true,
              question: "/v1/vips/192.0.2.1/holder?at=3",
              position: 7
            },
            { id: 2, actor: "local:ben", isAuthenticated: false, question: "/v1/diff?from=1", position: 7 },
            { id: 1, actor: "person:ada", isAuthenticated: true, question: "/v1/history", position: 7 }
          ]
        )
        const ids = (filter: Omit<Parameters<typeof ledger.auditReads>[0], "limit">, limit = 10) =>
          Effect.map(ledger.auditReads({ ...filter, limit }), (found) => found.map(({ id }) => id))
        assert.deepStrictEqual(yield* ids({ actor: "person:ada" }), [3, 1])
        assert.deepStrictEqual(yield* ids({ before: 3 }, 1), [2])
        assert.deepStrictEqual(yield* ids({ since: all[2]!.readAt, until: all[0]!.readAt }), [3, 2, 1])
        assert.deepStrictEqual(yield* ids({ until: "2020-01-01T00:00:00.000Z" }), [])
        assert.match(all[0]!.readAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
      })
    )

    test(
      "the log says which types it holds, in which versions, and since which event",
      Effect.gen(function* () {
        const { ledger, epoch } = yield* lead
        const write = (seq: number, ...types: ReadonlyArray<Partial<NewEvent>>) =>
          ledger.append({
            ...emptyBatch({ epoch, seq }),
            events: types.map((more, index) => event(`pool:${seq + index}`, 1, more))
          })
        assert.deepStrictEqual(yield* ledger.eventTypes, [])
        yield* write(0, { type: "VipFreed" }, { type: "VipAssigned" }, { type: "VipFreed" })
        yield* write(3, { type: "VipFreed" }, { type: "VipFreed", schema: 2 })
        assert.deepStrictEqual(yield* ledger.eventTypes, [
          { type: "VipFreed", schema: 1, firstSeq: 1 },
          { type: "VipAssigned", schema: 1, firstSeq: 2 },
          { type: "VipFreed", schema: 2, firstSeq: 5 }
        ])
      })
    )

    test(
      "the log says who has written it",
      Effect.gen(function* () {
        const { ledger, epoch } = yield* lead
        assert.deepStrictEqual(yield* ledger.actors(9), [])
        const actors = ["person:ada", "agent:east", "person:ada", "agent:west"]
        const events = actors.map((actor, index) => event(`pool:${index}`, 1, { actor }))
        yield* ledger.append({ ...emptyBatch({ epoch, seq: 0 }), events })
        assert.deepStrictEqual(yield* ledger.actors(9), ["agent:east", "agent:west", "person:ada"])
        assert.deepStrictEqual(yield* ledger.actors(2), ["agent:east", "agent:west"])
      })
    )

    test(
      "a state is given back with the version of its shape, now and at an earlier event",
      Effect.gen(function* () {
        const { ledger, epoch } = yield* lead
        const stream = "pool:a"
        for (const [index, schema] of [1, 2].entries()) {
          const version = index + 1
          yield* ledger.append({
            ...emptyBatch({ epoch, seq: index }),
            events: [event(stream, version, { schema, data: '{"after":{}}' })],
            current: [{ stream, kind: "pool", version, previousVersion: index, seq: version, schema, state: "{}" }]
          })
        }
        assert.deepStrictEqual(
          [(yield* loadWhole(ledger)).current[0]?.schema, (yield* ledger.stateAt(1))[0]?.schema],
          [2, 1]
        )
        assert.deepStrictEqual(yield* ledger.streamState(stream), (yield* loadWhole(ledger)).current[0] ?? null)
        assert.isNull(yield* ledger.streamState("pool:b"))
      })
    )

    test(
      "events are found by actor and by type",
      Effect.gen(function* () {
        const { ledger, epoch } = yield* lead
        yield* ledger.append({
          ...emptyBatch({ epoch, seq: 0 }),
          events: [
            event("pool:a", 1, { actor: "agent:a" }),
            event("pool:a", 2, { actor: "agent:b" }),
            event("pool:a", 3, { actor: "agent:a", type: "VipFreed" })
          ]
        })
        const seqs = (filter: Partial<EventFilter>) =>
          Effect.map(ledger.events({ ...all, ...filter }), (events) => events.map(({ seq }) => seq))
        assert.deepStrictEqual(yield* seqs({ actor: "agent:a" }), [1, 3])
        assert.deepStrictEqual(yield* seqs({ actor: "agent:a", type: "VipFreed" }), [3])
      })
    )

    test(
      "the wire journal answers the newest rows of each VIP and session up to a moment",
      Effect.gen(function* () {
        const { ledger } = yield* lead
        const vip = { network: "default", address: "192.0.2.1" }
        const session = { cluster: "a", node: "n1", peer: "tor" }
        const row = (more: object, n: number) => ({ cluster: "a", kind: "applied", detail: `{"n":${n}}`, ...more })
        yield* ledger.appendWire([row(vip, 1), row({ ...session, kind: "session" }, 2), row({ ...vip, kind: "x" }, 3)])
        const between = (yield* ledger.wire({ limit: 1, order: "desc" }))[0]!.recordedAt
        yield* untilAfter(between)
        yield* ledger.appendWire([
          row(vip, 4),
          row({ ...vip, address: "192.0.2.2" }, 5),
          row({ ...session, kind: "session" }, 6),
          row({ ...session, node: "n2", kind: "session" }, 7)
        ])
        const asked = (at: string, rowsEachMax: number) =>
          Effect.map(ledger.wireAt({ vips: [vip], sessions: [session], at, rowsEachMax }), (rows) =>
            rows.map(({ detail }) => (JSON.parse(detail) as { readonly n: number }).n).sort()
          )
        const now = yield* ledger.now
        assert.deepStrictEqual(yield* asked(now, 9), [1, 2, 4, 6])
        assert.deepStrictEqual(yield* asked(now, 1), [4, 6])
        assert.deepStrictEqual(yield* asked(between, 9), [1, 2])
        const until = yield* ledger.wire({ untilAt: between, limit: 9, order: "asc" })
        assert.strictEqual(until.length, 3)
      })
    )
  })
}

/** Waits until the ledger's clock is past `at`. */
const untilAfter = (at: string) =>
  Effect.gen(function* () {
    const ledger = yield* Ledger
    while ((yield* ledger.now) <= at) yield* Effect.sleep("1 millis")
  })
