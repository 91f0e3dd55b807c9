import { generateKeyPairSync } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { keysOf, openCheckpoint, type SignedCheckpoint, signCheckpoint } from "../../src/proofs/checkpoint.ts"
import { csvHeader, csvLine, type EventRecord, toEventRecord } from "../../src/proofs/event-record.ts"
import { leafHash } from "../../src/proofs/leaf.ts"
import { Frontier } from "../../src/proofs/merkle.ts"
import { LogVerifier } from "../../src/proofs/verify-log.ts"
import { event, uuid } from "../rows.ts"

const signer = { name: "k", privateKey: generateKeyPairSync("ed25519").privateKey }
const time = (second: number) => new Date(Date.parse("2026-11-23T14:00:00Z") + second * 1_000).toISOString()

/** The log of so many events, a second apart; the last tells of the export. */
const log = (count: number): ReadonlyArray<EventRecord> =>
  Array.from({ length: count }, (_, index) => {
    const seq = index + 1
    const type = seq === count ? "AuditExported" : "VipAssigned"
    const place = { seq, epoch: 1, commitSeq: seq, eventId: uuid(seq), recordedAt: time(seq) }
    const stored = { ...event("vip:a", seq, { type, data: `{"n": ${seq}}` }), ...place }
    return toEventRecord({ ...stored, leafHash: Buffer.from(leafHash(stored)).toString("hex") })
  })

const checkpointOver = (events: ReadonlyArray<EventRecord>, more: { signedAt?: string; incarnation?: number } = {}) => {
  const tree = new Frontier()
  for (const one of events) tree.append(Buffer.from(one.leafHash, "hex"))
  const said = {
    origin: "log",
    size: tree.size,
    root: tree.root(),
    incarnation: 1,
    signedAt: time(events.length),
    ...more
  }
  return Result.getOrThrow(openCheckpoint(keysOf(signer), signCheckpoint(signer, said)))
}

const verify = (events: ReadonlyArray<unknown>, checkpoints: ReadonlyArray<SignedCheckpoint>) => {
  const verifier = new LogVerifier(checkpoints)
  for (const one of events) verifier.add(typeof one === "string" ? one : JSON.stringify(one))
  return verifier.finish()
}

const forge = (one: EventRecord, change: Partial<EventRecord>): EventRecord => {
  const changed = { ...one, ...change }
  return { ...changed, leafHash: Buffer.from(leafHash(changed)).toString("hex") }
}

const whole = log(100)
const lines: ReadonlyArray<unknown> = whole
const checkpoints = [10, 40, 80].map((size) => checkpointOver(whole.slice(0, size)))

describe("verifying an export", () => {
  it("is intact when every event, its order and every checkpoint fit", () => {
    const verdict = verify(whole, checkpoints)
    assert.deepInclude(verdict, { isIntact: true, size: 100, checkpointsFitting: 3, faults: [], asOf: time(100) })
    assert.strictEqual(verdict.newest?.size, 80)
  })

  it("is not, without any checkpoint over its events", () => {
    assert.isFalse(verify(whole, []).isIntact)
  })

  const damages: ReadonlyArray<readonly [string, ReadonlyArray<unknown>, number]> = [
    ["a changed payload", whole.with(41, { ...whole[41]!, data: '{"n": 43}' }), 42],
    ["a changed column", whole.with(41, { ...whole[41]!, actor: "agent:b" }), 42],
    ["a field that no leaf covers", whole.with(41, { ...whole[41]!, approvedBy: "ada" } as never), 42],
    ["a field twice", lines.with(41, JSON.stringify(whole[41]).replace("{", '{"actor":"ada",')), 42],
    ["a changed event after the newest checkpoint", whole.with(90, { ...whole[90]!, meta: "[]" }), 91],
    ["a changed leaf, after checkpoint 40", whole.with(41, { ...whole[41]!, leafHash: "00".repeat(32) }), 41],
    ["an event and its leaf, after checkpoint 40", whole.with(59, forge(whole[59]!, { actor: "x" })), 41],
    ["an event and its leaf, before any checkpoint", whole.with(3, forge(whole[3]!, { actor: "x" })), 1],
    ["a deleted event", whole.toSpliced(41, 1), 42],
    ["a repeated event", lines.toSpliced(41, 0, whole[40]), 41],
    ["two events in each other's place", lines.with(41, whole[42]).with(42, whole[41]), 42],
    ["a line that is none", lines.toSpliced(41, 0, "{"), 42],
    ["a time that goes back", whole.with(90, forge(whole[90]!, { recordedAt: time(5) })), 91],
    ["missing events at the end", whole.slice(0, 60), 61],
    ["missing events, and the time of the export forged", [...whole.slice(0, 60), forgedEnd(60, 9_999)], 62]
  ]
  for (const [title, events, seq] of damages) {
    it(`${title}: names event ${seq} first`, () => {
      const verdict = verify(events, checkpoints)
      assert.isFalse(verdict.isIntact)
      assert.strictEqual(verdict.faults[0]?.seq, seq, verdict.faults[0]?.what)
    })
  }

  it("what was signed after the export is not held against it", () => {
    const later = checkpointOver(log(130), { signedAt: time(130) })
    assert.isTrue(verify(whole, [...checkpoints, later]).isIntact)
    const before = checkpointOver(log(130), { signedAt: time(50) })
    assert.deepInclude(verify(whole, [...checkpoints, before]).faults[0], { seq: 101 })
  })

  it("checkpoints from before history was lost need not fit; those of the newest incarnation must", () => {
    const lost = checkpointOver(whole.with(20, forge(whole[20]!, { actor: "x" })).slice(0, 50))
    const now = checkpointOver(whole.slice(0, 90), { incarnation: 2 })
    assert.deepInclude(verify(whole, [lost, now]), { isIntact: true, checkpointsSuperseded: 1, checkpointsFitting: 1 })
    assert.isFalse(verify(whole, [lost]).isIntact)
  })

  const Damage = Schema.Struct({
    at: Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 0, maximum: 79 }))),
    key: Schema.Literals(["seq", "epoch", "commitSeq", "version", "data", "meta", "stream", "commandId", "recordedAt"])
  })
  it.prop(
    "no change of a column under a checkpoint goes unseen, the leaf made to fit or not",
    [Damage],
    ([{ at, key }]) => {
      const old = whole[at]!
      const value =
        typeof old[key] === "number" ? (old[key] as number) + 1 : key === "recordedAt" ? time(at + 1.5) : `${old[key]} `
      assert.isFalse(verify(whole.with(at, { ...old, [key]: value }), checkpoints).isIntact)
      assert.isFalse(verify(whole.with(at, forge(old, { [key]: value })), checkpoints).isIntact)
    }
  )
})

describe("an export in CSV (RFC 4180)", () => {
  it("has a field for each column, quoted where it must be", () => {
    assert.match(csvHeader, /^seq,epoch,commitSeq,.*,data,meta,leafHash\r\n$/)
    const line = csvLine({ ...whole[0]!, data: '{"a":"x,y"}', actor: "plain" })
    assert.match(line, /^1,1,1,.*,plain,.*,"\{""a"":""x,y""\}",\{\},[0-9a-f]{64}\r\n$/)
  })

  it("has no field that a spreadsheet takes for a formula", () => {
    for (const start of ["=", "+", "-", "@", "\t", "\r"]) {
      const line = csvLine({ ...whole[0]!, actor: `${start}cmd|' /C calc'!A0`, pool: `${start}1,2` })
      assert.include(line, `'${start}cmd|`)
      assert.notMatch(line, new RegExp(`(^|[,"])\\${start}`))
    }
    assert.include(csvLine({ ...whole[0]!, actor: "person:a=b" }), ",person:a=b,")
  })
})

function forgedEnd(size: number, second: number): EventRecord {
  return forge(whole[size]!, { type: "AuditExported", recordedAt: time(second) })
}
