import { assert, describe, it } from "@effect/vitest"
import { formatPrefix, hostPrefix, type Prefix, prefixOf } from "@lowtide/net"
import { Result, Schema } from "effect"
import { decodeBody, messageBytesMax, takeFrame } from "../src/wire/message.ts"
import type { PathAttribute } from "../src/wire/path-attributes.ts"
import { type BgpUpdate, effectOf, findAttribute } from "../src/wire/update.ts"
import { type AnnouncementGroup, packUpdates, type UpdateBatch } from "../src/wire/update-packer.ts"

const external = { fourOctetAs: true, isInternal: false }
const nextHop4 = { family: 4, value: 0xc0000202n } as const
const nextHop6 = { family: 6, value: 0x20010db8n << 96n } as const
const path: ReadonlyArray<PathAttribute> = [
  { _tag: "Origin", value: "igp" },
  { _tag: "AsPath", segments: [{ kind: "sequence", asns: [65551] }] }
]

const hosts = (family: 4 | 6, count: number, first = 0): ReadonlyArray<Prefix> =>
  Array.from({ length: count }, (_, index) =>
    hostPrefix({ family, value: (family === 4 ? 0xc6120000n : 0x20010db8n << 96n) + BigInt(first + index) })
  )

interface Packed {
  readonly lengths: ReadonlyArray<number>
  readonly updates: ReadonlyArray<BgpUpdate>
}

const packed = (batch: UpdateBatch): Packed => {
  const lengths: Array<number> = []
  const updates: Array<BgpUpdate> = []
  for (const { bytes, messages } of packUpdates(batch, external)) {
    let inChunk = 0
    for (let offset = 0; offset < bytes.length; inChunk++) {
      const frame = takeFrame(bytes, offset)
      if (frame._tag !== "Frame") throw new Error(`not a whole message: ${JSON.stringify(frame)}`)
      const message = Result.getOrThrow(decodeBody(frame, external))
      if (message._tag !== "Update") throw new Error(`not an UPDATE: ${message._tag}`)
      lengths.push(frame.end - offset)
      updates.push(message)
      offset = frame.end
    }
    assert.strictEqual(inChunk, messages)
  }
  return { lengths, updates }
}

const nothing = { withdrawn: { 4: [], 6: [] }, announced: [] }
const group = (prefixes: ReadonlyArray<Prefix>, attributes = path): AnnouncementGroup => {
  const family = prefixes[0]?.address.family ?? 4
  return { family, nextHop: family === 4 ? nextHop4 : nextHop6, attributes, prefixes }
}

describe("packing UPDATEs, RFC 4271 §9.2", () => {
  it("1,000 host routes of one attribute set are two messages, the first of them full", () => {
    const { lengths, updates } = packed({ ...nothing, announced: [group(hosts(4, 1000))] })
    assert.lengthOf(updates, 2)
    assert.isAbove(lengths[0]!, messageBytesMax - 5)
    assert.isAtMost(lengths[0]!, messageBytesMax)
    assert.isAtLeast(updates[0]!.nlri.length, 804)
  })
  it("IPv6 routes stand in MP_REACH_NLRI as the first attribute: RFC 7606 §5.1", () => {
    const { updates } = packed({ ...nothing, announced: [group(hosts(6, 300))] })
    assert.lengthOf(updates, 2)
    for (const update of updates) assert.strictEqual(update.attributes[0]?._tag, "MpReachNlri")
  })
  it("withdrawals are packed as well, in both families", () => {
    const { updates } = packed({ ...nothing, withdrawn: { 4: hosts(4, 800), 6: hosts(6, 200) } })
    assert.lengthOf(updates, 2)
    assert.lengthOf(effectOf(updates[0]!).withdrawn, 800)
    assert.lengthOf(effectOf(updates[1]!).withdrawn, 200)
  })
  it("nothing to say is no message", () => assert.deepStrictEqual(packed(nothing).updates, []))
  it("a batch that needs several chunks has every prefix once and no half message", () => {
    const { updates } = packed({ ...nothing, announced: [group(hosts(4, 30_000))] })
    const announced = updates.flatMap((update) => effectOf(update).announced.map(formatPrefix))
    assert.lengthOf(announced, 30_000)
    assert.lengthOf(new Set(announced), 30_000)
  })
})

const lengths = Schema.Array(Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 0, maximum: 128 }))))
const count = Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 0, maximum: 2_000 })))
const communities = Schema.Array(Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 0, maximum: 0xffff_ffff }))))

describe("packing, for any batch", () => {
  it.prop(
    "no message is longer than 4,096 octets, every prefix stands exactly once, with its own attribute set",
    { lengths, count, communities, withdrawals: count },
    ({ lengths, count, communities, withdrawals }) => {
      const mixed = lengths.map((length, index) =>
        prefixOf({ family: 6, value: (BigInt(index) << 64n) + (0x20010db8n << 96n) }, Math.max(length, 64))
      )
      const values = [...new Set(communities)].slice(0, 900)
      const tagged: ReadonlyArray<PathAttribute> = [...path, { _tag: "Communities", values: [1, ...values] }]
      const batch: UpdateBatch = {
        withdrawn: { 4: hosts(4, withdrawals, 100_000), 6: [] },
        announced: [group(hosts(4, count), tagged), group(mixed)]
      }
      const result = packed(batch)
      assert.isTrue(result.lengths.every((length) => length <= messageBytesMax))
      const wanted = batch.announced.flatMap(({ prefixes }) => prefixes.map(formatPrefix))
      const found = result.updates.flatMap((update) => effectOf(update).announced.map(formatPrefix))
      assert.deepStrictEqual(found, wanted)
      const gone = result.updates.flatMap((update) => effectOf(update).withdrawn.map(formatPrefix))
      assert.deepStrictEqual(gone, batch.withdrawn[4].map(formatPrefix))
      for (const update of result.updates) {
        assert.deepStrictEqual(update.faults, [])
        const expected = update.nlri.length > 0 ? tagged.at(-1) : undefined
        assert.deepStrictEqual(findAttribute(update.attributes, "Communities"), expected)
      }
    },
    { arbitrary: { runs: 60 } }
  )
})
