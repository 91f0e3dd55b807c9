import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as Arbitrary from "effect/Arbitrary"
import { type Community, formatCommunity, parseAsn, parseCommunity, wellKnownCommunities } from "../src/index.ts"

const u32 = Arbitrary.schema(Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 0, maximum: 0xffff_ffff }))))

describe("AS numbers, RFC 5396", () => {
  it.each([
    ["64496", 64496],
    [64496, 64496],
    ["1", 1],
    ["4294967295", 4294967295],
    ["1.15", 65551],
    ["0.64496", 64496],
    ["65535.65535", 4294967295]
  ])("%s is %i", (text, asn) => assert.strictEqual(Result.getOrThrow(parseAsn(text)), asn))

  // 0: RFC 7607
  it.each(["0", "0.0", "4294967296", "65536.1", "1.65536", "-1", "AS64496", "64496.", "", "1e3", 64496.5])(
    "%s is refused",
    (text) => {
      const reason = Result.getOrThrow(Result.flip(parseAsn(text)))
      assert.strictEqual(reason, `expected an AS number of 1..4294967295, found ${JSON.stringify(text)}`)
    }
  )
})

describe("communities, RFC 1997 and RFC 8092", () => {
  it.each([
    ["64496:100", "64496:100"],
    ["0:0", "0:0"],
    ["65535:65535", "65535:65535"],
    ["large:64496:1:2", "64496:1:2"],
    ["64496:1:2", "64496:1:2"],
    ["4294967295:4294967295:4294967295", "4294967295:4294967295:4294967295"],
    ["no-export", "65535:65281"],
    ["graceful-shutdown", "65535:0"],
    ["blackhole", "65535:666"]
  ])("%s is %s", (text, canonical) => {
    assert.strictEqual(formatCommunity(Result.getOrThrow(parseCommunity(text))), canonical)
  })
  it.each([
    "",
    "64496",
    "65536:1",
    "1:65536",
    "large:1:2",
    "1:2:4294967296",
    "1:2:3:4",
    "a:b",
    "no-such-name",
    "1:-1",
    "toString"
  ])("%s is refused", (text) => {
    assert.match(Result.getOrThrow(Result.flip(parseCommunity(text))), /^expected a community like .*, found /)
  })
  it("a name and its number are the same community", () => {
    for (const [name, value] of Object.entries(wellKnownCommunities)) {
      const community: Community = { _tag: "StandardCommunity", value }
      assert.deepStrictEqual(Result.getOrThrow(parseCommunity(name)), community)
      assert.deepStrictEqual(Result.getOrThrow(parseCommunity(formatCommunity(community))), community)
    }
  })
  it.prop("every community survives its text", [u32, u32, u32], ([first, second, third]) => {
    const both: ReadonlyArray<Community> = [
      { _tag: "StandardCommunity", value: first },
      { _tag: "LargeCommunity", globalAdministrator: first, data1: second, data2: third }
    ]
    for (const community of both) {
      assert.deepStrictEqual(Result.getOrThrow(parseCommunity(formatCommunity(community))), community)
    }
  })
})
