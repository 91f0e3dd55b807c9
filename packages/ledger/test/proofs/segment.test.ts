import { createHash, generateKeyPairSync } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { keysOf, signCheckpoint } from "../../src/proofs/checkpoint.ts"
import { type EventRecord, toEventRecord } from "../../src/proofs/event-record.ts"
import { leafHash } from "../../src/proofs/leaf.ts"
import { Frontier, foldComplete, type HashSource, rangeProof, rootAfterRange } from "../../src/proofs/merkle.ts"
import { proofKind, verifyProof } from "../../src/proofs/proof.ts"
import { archivedKind, SegmentVerifier, segmentKind } from "../../src/proofs/segment.ts"
import { SegmentProver } from "../../src/proofs/segment-proof.ts"
import { LogVerifier } from "../../src/proofs/verify-log.ts"
import { event, uuid } from "../rows.ts"

const leaf = (index: number): Uint8Array => createHash("sha256").update(`leaf ${index}`).digest()

/** Stored hashes over leaves: the complete subtrees of 256^level of them. */
const sourceOf =
  (leaves: ReadonlyArray<Uint8Array>): HashSource<never> =>
  (level, from, count) =>
    Effect.succeed(
      Array.from({ length: count }, (_, index) => {
        const width = 256 ** level
        return foldComplete(leaves.slice((from + index) * width, (from + index + 1) * width))
      })
    )

const rootOver = (leaves: ReadonlyArray<Uint8Array>) => {
  const tree = new Frontier()
  for (const one of leaves) tree.append(one)
  return tree.root()
}

const Range = Schema.Tuple([0, 1, 2].map(() => Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 700 }))))

describe("what stands beside a range of leaves", () => {
  it.effect.prop(
    "leads with them to the root, wherever the range lies",
    [Range],
    ([cuts]) =>
      Effect.gen(function* () {
        const [start = 0, end = 0, size = 0] = [...cuts].sort((a, b) => a - b)
        const leaves = Array.from({ length: size }, (_, index) => leaf(index))
        const { left, right } = yield* rangeProof(sourceOf(leaves), { start, end, size })
        const tree = Frontier.of(start, left)
        for (const one of leaves.slice(start, end)) tree.append(one)
        assert.deepStrictEqual(rootAfterRange(tree, { size, right }), rootOver(leaves))
      }),
    { arbitrary: { runs: 60 } }
  )
})

const signer = { name: "k", privateKey: generateKeyPairSync("ed25519").privateKey }
const keys = keysOf(signer)

const log: ReadonlyArray<EventRecord> = Array.from({ length: 700 }, (_, index) => {
  const seq = index + 1
  const recordedAt = new Date(Date.parse("2026-11-23T14:00:00Z") + seq * 1_000).toISOString()
  const words = JSON.stringify({ words: `line\u2028${seq}` })
  const stored = {
    ...event("vip:a", seq, { data: words }),
    ...{ seq, epoch: 1, commitSeq: seq, eventId: uuid(seq), recordedAt }
  }
  return toEventRecord({ ...stored, leafHash: Buffer.from(leafHash(stored)).toString("hex") })
})
const leaves = log.map(({ leafHash }) => Buffer.from(leafHash, "hex"))

const noteOver = (size: number): string =>
  signCheckpoint(signer, {
    ...{ origin: "log", size, root: rootOver(leaves.slice(0, size)), incarnation: 1 },
    signedAt: "2026-11-23T15:00:00.000Z"
  })

const hexes = (hashes: ReadonlyArray<Uint8Array>) => hashes.map((hash) => Buffer.from(hash).toString("hex"))

/** The lines of the archive of events 301 to 600, by a checkpoint over 650. */
const archive = Effect.gen(function* () {
  const { left, right } = yield* rangeProof(sourceOf(leaves), { start: 300, end: 600, size: 650 })
  const header = { kind: segmentKind, fromSeq: 301, toSeq: 600, left: hexes(left) } as const
  const trailer = { kind: segmentKind, right: hexes(right), checkpoint: noteOver(650) } as const
  return { header, events: log.slice(300, 600), trailer }
})

const verdictOf = (lines: ReadonlyArray<unknown>) => {
  const verifier = new SegmentVerifier(keys)
  for (const line of lines) verifier.add(JSON.stringify(line))
  return verifier.finish()
}

describe("an archive", () => {
  it.effect("is whole by a checkpoint alone, and proves each of its events", () =>
    Effect.gen(function* () {
      const { header, events, trailer } = yield* archive
      const verdict = verdictOf([header, ...events, trailer])
      assert.deepInclude(verdict, { isIntact: true, fromSeq: 301, toSeq: 600, lastAt: log[599]?.recordedAt ?? "" })
      for (const seq of [301, 302, 512, 513, 600]) {
        const prover = new SegmentProver(seq)
        for (const one of events) prover.add(one)
        const proof = prover.finish(header, trailer, keys)
        assert.strictEqual(proof?.kind, proofKind)
        assert.isTrue(proof !== undefined && verifyProof(proof, keys).isProved, `event ${seq}`)
      }
      assert.isUndefined(new SegmentProver(7).finish(header, trailer, keys))
    })
  )

  it.effect("of which anything was changed, left out or added is not believed", () =>
    Effect.gen(function* () {
      const { header, events, trailer } = yield* archive
      const [one, two, ...rest] = events
      const table: ReadonlyArray<readonly [why: RegExp, lines: ReadonlyArray<unknown>]> = [
        [/no archive of a segment/, [{ ...header, kind: "other" }, ...events, trailer]],
        [/lacks hashes/, [{ ...header, left: header.left.slice(1) }, ...events, trailer]],
        [/event 301 was changed/, [header, { ...one, actor: "agent:west" }, two, ...rest, trailer]],
        [/expected event 302, found event 303/, [header, one, ...rest, trailer]],
        [/expected event 301, found event 302/, [header, two, one, ...rest, trailer]],
        [/no end/, [header, ...events]],
        [/expected event 600, found none/, [header, ...events.slice(0, -1), trailer]],
        [/not that of an archive/, [header, ...events, log[600], trailer]],
        [/more stands after/, [header, ...events, trailer, trailer]],
        [/do not lead to root/, [header, ...events, { ...trailer, right: trailer.right.slice(1) }]],
        [/do not lead to root/, [header, ...events, { ...trailer, checkpoint: noteOver(640) }]],
        [/not to be believed/, [header, ...events, { ...trailer, checkpoint: noteOver(650).replace("650", "651") }]],
        [/do not lead to root/, [{ ...header, left: ["0".repeat(64), ...header.left.slice(1)] }, ...events, trailer]]
      ]
      for (const [why, lines] of table) {
        const verdict = verdictOf(lines)
        assert.match(verdict.isIntact ? "it is believed" : verdict.why, why)
      }
    })
  )
})

describe("an export whose first events are archived", () => {
  const beginning = { kind: archivedKind, untilSeq: 300, left: [] as ReadonlyArray<string> }
  const verify = (lines: ReadonlyArray<unknown>) => {
    const verifier = new LogVerifier(opened)
    for (const line of lines) verifier.add(JSON.stringify(line))
    return verifier.finish()
  }
  const opened = [
    {
      ...{ origin: "log", size: 650, root: rootOver(leaves.slice(0, 650)), incarnation: 1, signedBy: "k", note: "" },
      signedAt: "2026-11-23T15:00:00.000Z"
    }
  ]

  it.effect("is verified from the hashes that stand for them, or with them", () =>
    Effect.gen(function* () {
      const { left } = yield* rangeProof(sourceOf(leaves), { start: 300, end: 300, size: 300 })
      const line = { ...beginning, left: hexes(left) }
      assert.deepInclude(verify([line, ...log.slice(300)]), { isIntact: true, since: 301, size: 700 })
      assert.deepInclude(verify([...log.slice(0, 300), line, ...log.slice(300)]), { isIntact: true, since: 1 })
      const archive = { kind: segmentKind, fromSeq: 301, toSeq: 600, left: line.left }
      const fromArchive = verify([archive, ...log.slice(300, 600), { ...line, untilSeq: 600 }, ...log.slice(600)])
      assert.deepInclude(fromArchive, { isIntact: true, since: 301, size: 700 })
      const other = { ...line, left: ["0".repeat(64), ...line.left.slice(1)] }
      assert.isFalse(verify([other, ...log.slice(300)]).isIntact)
      assert.match(verify(log.slice(300)).faults[0]?.what ?? "", /event 1 is missing/)
      assert.match(
        verify([...log.slice(0, 200), line, ...log.slice(300)]).faults[0]?.what ?? "",
        /event 201 is missing/
      )
    })
  )

  it.effect("cannot be checked where an archive between is not given, which is no damage; what was read is", () =>
    Effect.gen(function* () {
      const after = (size: number) =>
        Effect.map(rangeProof(sourceOf(leaves), { start: size, end: size, size }), ({ left }) => hexes(left))
      const first = [{ kind: segmentKind, fromSeq: 1, toSeq: 100, left: [] }, ...log.slice(0, 100)]
      const second = [{ kind: segmentKind, fromSeq: 101, toSeq: 300, left: yield* after(100) }, ...log.slice(100, 300)]
      const third = [{ kind: segmentKind, fromSeq: 301, toSeq: 600, left: yield* after(300) }, ...log.slice(300, 600)]
      const rest = [{ ...beginning, untilSeq: 600, left: yield* after(600) }, ...log.slice(600)]
      const gapsOf = (...stretches: ReadonlyArray<ReadonlyArray<unknown>>) => {
        const { isIntact, faults, gaps, misplacedSeq } = verify(stretches.flat())
        return [isIntact, faults.map(({ what }) => what), gaps, misplacedSeq]
      }
      assert.deepStrictEqual(gapsOf(first, second, third, rest), [true, [], [], undefined])
      assert.deepStrictEqual(gapsOf(first, third, rest), [false, [], [{ fromSeq: 101, toSeq: 300 }], undefined])
      assert.deepStrictEqual(gapsOf(first, second, rest), [false, [], [{ fromSeq: 301, toSeq: 600 }], undefined])
      assert.deepStrictEqual(gapsOf(first, rest), [false, [], [{ fromSeq: 101, toSeq: 600 }], undefined])
      // In the wrong order, twice, or of what the ledger has as well.
      assert.deepStrictEqual(gapsOf(first, third, second, rest)[3], 101)
      assert.deepStrictEqual(gapsOf(first, first, second, third, rest)[3], 1)
      assert.deepStrictEqual(gapsOf(first, log), [false, [], [], 1])
      // Damage is damage: of an archive that ends early, and of one behind the gap.
      const [, short] = gapsOf(first, second.slice(0, -1), third, rest)
      assert.deepStrictEqual(short, ["event 300 is missing: expected it from an archive of events up to 300"])
      const changed = third.map((line, index) => (index === 7 ? { ...line, actor: "agent:west" } : line))
      assert.match(String(gapsOf(first, changed, rest)[1]), /event 307 was changed/)
      const [lied] = third
      const forged = [{ ...lied, left: (yield* after(300)).map(() => "0".repeat(64)) }, ...third.slice(1)]
      assert.match(String(gapsOf(first, forged, rest)[1]), /expected root/)
    })
  )
})
