import { assert, describe, it } from "@effect/vitest"
import { type Envelope, generateKey, readKeyRing, readSigningKey, type SigningKey, seal } from "@lowtide/bus/envelope"
import type { NodeStatus } from "@lowtide/bus/status"
import type { Stamp } from "@lowtide/domain"
import { Ledger, type StoredEvent } from "@lowtide/ledger"
import { memoryLedger } from "@lowtide/testkit"
import { emptyTables } from "@lowtide/testkit/memory-tables"
import { Effect } from "effect"
import { isLossShown, lossBy } from "../src/loss.ts"
import { judgeAsFollower, StampProofs } from "../src/stamp-proofs.ts"
import { signingKey } from "./orders.ts"

const head = { incarnation: 1, epoch: 4, seq: 100, commitSeq: 50, recordedAt: "2026-01-01T00:00:00.000Z" }
const beyond: Stamp = { incarnation: 1, epoch: 4, seq: 120 }
const known: Stamp = { incarnation: 1, epoch: 4, seq: 90 }

const formerPair = generateKey()
const formerKey = readSigningKey("k0", formerPair.privatePem)
const formerKeys = readKeyRing({ k0: formerPair.publicPem })
const stranger = readSigningKey("k1", generateKey().privatePem)

/** A head as the centre signs it, put into a status. */
const proofOf = (stamp: Stamp, { key = signingKey, cluster = "east" }: { key?: SigningKey; cluster?: string } = {}) =>
  signed(key, { _tag: "ClusterHead", stamp, cseq: 1, cluster, digest: "00", count: 1 })

const signed = (key: SigningKey, message: object) => JSON.parse(seal(key, JSON.stringify(message))) as Envelope

/** Who leads since the newest event asks with its own epoch beside that event's seq, which is the stamp of no event. */
const rollCall = signed(signingKey, { _tag: "RollCall", stamp: beyond, cluster: "east" })

const status = (more: Pick<NodeStatus, "stamp" | "proof">) =>
  ({ _tag: "NodeStatus", cluster: "east", node: "n1", ...more }) as NodeStatus

const required = { allows: () => true }
const notYet = { allows: () => false }

/** What a status comes to: whether it shows a loss, before the first decision and later, and what is said of its node. */
const judged = (given: NodeStatus, fleet = required) =>
  Effect.gen(function* () {
    const proofs = new StampProofs(signingKey, formerKeys)
    const witnesses = proofs.witnesses(fleet, given)
    const loss = yield* lossBy(head, witnesses)
    assert.strictEqual(yield* isLossShown(head, witnesses), loss !== undefined)
    return { why: loss?.why, alarms: proofs.recent(0).map(({ cluster, node, why }) => `${cluster}/${node}: ${why}`) }
  }).pipe(Effect.provide(memoryLedger()))

describe("a status that is beyond the end of the log", () => {
  for (const [title, given, alarm] of [
    ["that proves nothing", { stamp: beyond }, /^east\/n1: it sends no head or message that the centre signed$/],
    [
      "with a text that is none",
      { stamp: beyond, proof: { payload: "{", keyId: "k1", sig: "" } },
      /sends no head or message/
    ],
    [
      "with a head that somebody else signed",
      { stamp: beyond, proof: proofOf(beyond, { key: stranger }) },
      /the signature by k1 does not fit/
    ],
    [
      "with one signed by a key that nobody knows",
      { stamp: beyond, proof: proofOf(beyond, { key: { ...stranger, keyId: "k9" } }) },
      /expected a key of \[k0, k1\], found "k9"/
    ],
    [
      "with the head of another cluster",
      { stamp: beyond, proof: proofOf(beyond, { cluster: "west" }) },
      /its proof is of cluster "west"/
    ],
    ["with a roll call", { stamp: beyond, proof: rollCall }, /sends no head or message/],
    ["with a head from before", { stamp: beyond, proof: proofOf(known) }, /its proof is of 1\/4\/90/],
    [
      "with a head that was changed afterwards",
      { stamp: beyond, proof: { ...proofOf(known), payload: proofOf(beyond).payload } },
      /the signature by k1 does not fit/
    ]
  ] as const) {
    it.effect(`${title} changes nothing, and its node is named`, () =>
      Effect.gen(function* () {
        const { why, alarms } = yield* judged(status(given))
        assert.isUndefined(why)
        assert.match(alarms.join(), alarm)
      })
    )
  }

  for (const [title, key] of [
    ["the allocator's own key", signingKey],
    ["a key by which the centre signed before", formerKey]
  ] as const) {
    it.effect(`shows a loss with a head by ${title}`, () =>
      Effect.gen(function* () {
        const { why, alarms } = yield* judged(status({ stamp: beyond, proof: proofOf(beyond, { key }) }))
        assert.strictEqual(why, "node east/n1 is at 1/4/120, the log at 1/4/100")
        assert.deepStrictEqual(alarms, [])
      })
    )
  }

  it.effect("shows one by its head alone: where the node has come to by messages says less", () =>
    Effect.gen(function* () {
      assert.isDefined((yield* judged(status({ stamp: known, proof: proofOf(beyond) }))).why)
      assert.isDefined((yield* judged(status({ proof: proofOf(beyond) }))).why)
    })
  )

  it.effect("is believed by its word while speakers may be older than proofs are, and by an empty log", () =>
    Effect.gen(function* () {
      const { why, alarms } = yield* judged(status({ stamp: beyond }), notYet)
      assert.strictEqual(why, "node east/n1 is at 1/4/120, the log at 1/4/100")
      assert.deepStrictEqual(alarms, [])
    })
  )
})

it.effect("a liar does not stand before who proves the same", () =>
  Effect.gen(function* () {
    const proofs = new StampProofs(signingKey)
    const liar = { ...status({ stamp: beyond }), node: "n0" }
    const witnesses = [liar, status({ stamp: beyond, proof: proofOf(beyond) })].flatMap((each) =>
      proofs.witnesses(required, each)
    )
    assert.strictEqual((yield* lossBy(head, witnesses))?.why, "node east/n1 is at 1/4/120, the log at 1/4/100")
  }).pipe(Effect.provide(memoryLedger()))
)

it.effect("an order to recover believes everybody: no incarnation that a node says is begun again", () =>
  Effect.gen(function* () {
    const proofs = new StampProofs(signingKey)
    const witnesses = proofs.witnesses(required, status({ stamp: { incarnation: 3, epoch: 9, seq: 5 } }))
    assert.isUndefined(yield* lossBy(head, witnesses))
    yield* (yield* Ledger).orderRecovery("ordered by person:ada: keys lost")
    assert.deepStrictEqual(yield* lossBy(head, witnesses), { incarnation: 4, why: "ordered by person:ada: keys lost" })
  }).pipe(Effect.provide(memoryLedger()))
)

it.effect("what the log has needs no proof", () =>
  Effect.gen(function* () {
    const { why, alarms } = yield* judged(status({ stamp: known, proof: proofOf(known, { key: stranger }) }))
    assert.deepStrictEqual([why, alarms], [undefined, []])
  })
)

/** A ledger with this at its end, which can be moved on. */
const ledgerAt = (end: Stamp) => {
  const tables = emptyTables(head.recordedAt)
  const moveTo = ({ seq, ...rest }: Stamp) => {
    tables.head = { ...head, ...rest, seq }
    // Of the event at the end nothing but its place is asked for.
    tables.events[0] = { ...rest, seq } as unknown as StoredEvent
  }
  moveTo(end)
  return { moveTo, layer: memoryLedger({ tables }) }
}

describe("a node's word that is not proven is shown", () => {
  for (const [title, end, expected] of [
    ["until the log has come to it", beyond, 0],
    ["until an incarnation began that is above it, as by an order to recover", { ...known, incarnation: 2 }, 0],
    ["on while the log has not come to it", { ...beyond, seq: beyond.seq - 1 }, 1],
    ["on where the log has come to another event in its place", { ...beyond, epoch: 5 }, 1]
  ] as const) {
    const { moveTo, layer } = ledgerAt(head)
    it.effect(title, () =>
      Effect.gen(function* () {
        const proofs = new StampProofs(signingKey)
        yield* isLossShown(head, proofs.witnesses(required, status({ stamp: beyond })))
        yield* proofs.forgetKnown
        assert.lengthOf(proofs.recent(0), 1)
        moveTo(end)
        yield* proofs.forgetKnown
        assert.lengthOf(proofs.recent(0), expected)
      }).pipe(Effect.provide(layer))
    )
  }
})

// The head before a message that is too large for a status proves less than the node says.
describe("to an allocator that lags behind the log, a node that is beyond what it has read", () => {
  const judgedBy = (end: Stamp) =>
    Effect.gen(function* () {
      const proofs = new StampProofs(signingKey)
      yield* judgeAsFollower({ fleet: required, head }, proofs, status({ stamp: beyond, proof: proofOf(known) }))
      return proofs.recent(0).length
    }).pipe(Effect.provide(ledgerAt(end).layer))

  it.effect("has nothing to prove of what the log has", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* judgedBy(beyond), 0)
    })
  )

  it.effect("is shown where the log itself does not have it", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* judgedBy(known), 1)
    })
  )
})

it.effect("a node's word is shown for an hour", () =>
  Effect.gen(function* () {
    const proofs = new StampProofs(signingKey)
    yield* isLossShown(head, proofs.witnesses(required, status({ stamp: beyond })))
    assert.lengthOf(proofs.recent(3_599_999), 1)
    assert.lengthOf(proofs.recent(3_600_000), 0)
  })
)
