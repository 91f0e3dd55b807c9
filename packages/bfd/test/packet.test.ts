import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as Arbitrary from "effect/Arbitrary"
import { type ControlPacket, diagnosticName, sessionStates } from "../src/packet/control-packet.ts"
import { decodeControlPacket } from "../src/packet/decode.ts"
import { encodeControlPacket } from "../src/packet/encode.ts"

/** Octets written in hexadecimal; what follows `#` on a line says what the field is. */
const octets = (text: string): Uint8Array => {
  const digits = text.replace(/#.*$/gm, "").replace(/\s+/g, "")
  return Uint8Array.from({ length: digits.length / 2 }, (_, index) =>
    Number.parseInt(digits.slice(index * 2, index * 2 + 2), 16)
  )
}

/** What a router sent while its session was up, with the Final bit. */
const upOctets = octets(`
  20        # version 1, no diagnostic
  d8        # Up, Final, control plane independent
  03        # detect mult
  18        # length 24
  5f1dcec8  # my discriminator
  0000002a  # your discriminator
  000493e0  # desired min tx 300 ms
  00030d40  # required min rx 200 ms
  0000c350  # required min echo rx 50 ms
`)
const upPacket: ControlPacket = {
  diagnostic: 0,
  state: "Up",
  poll: false,
  final: true,
  controlPlaneIndependent: true,
  demand: false,
  detectMult: 3,
  myDiscriminator: 0x5f1dcec8,
  yourDiscriminator: 42,
  desiredMinTxUs: 300_000,
  requiredMinRxUs: 200_000,
  requiredMinEchoRxUs: 50_000
}

/** The octets above with some of them set to others. */
const changed = (changes: Readonly<Record<number, number>>): Uint8Array => {
  const copy = upOctets.slice()
  for (const [offset, octet] of Object.entries(changes)) copy[Number(offset)] = octet
  return copy
}

const reasonOf = (bytes: Uint8Array): string =>
  Result.match(decodeControlPacket(bytes), { onFailure: ({ reason }) => reason, onSuccess: () => "taken" })

describe("the Control packet, RFC 5880 §4.1", () => {
  it("is read field by field", () => {
    assert.deepStrictEqual(Result.getOrThrow(decodeControlPacket(upOctets)), upPacket)
  })

  it("is written field by field", () => {
    assert.deepStrictEqual(encodeControlPacket(upPacket), upOctets)
    const down = encodeControlPacket({
      ...upPacket,
      diagnostic: 3,
      state: "Down",
      poll: true,
      final: false,
      demand: true
    })
    assert.deepStrictEqual([...down.subarray(0, 2)], [0x23, 0x6a])
  })

  it("names its diagnostics", () => {
    assert.strictEqual(diagnosticName(1), "1 Control Detection Time Expired")
    assert.strictEqual(diagnosticName(31), "31")
  })

  const bit = Arbitrary.schema(Schema.Boolean)
  const between = (minimum: number, maximum: number) =>
    Arbitrary.schema(Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum, maximum }))))
  const u32 = between(0, 0xffff_ffff)
  const packets = Arbitrary.map(
    Arbitrary.all([
      between(0, 31),
      between(0, 3),
      bit,
      bit,
      bit,
      bit,
      between(1, 255),
      between(1, 0xffff_ffff),
      u32,
      u32,
      u32,
      u32
    ]),
    ([diagnostic, state, poll, final, independent, demand, detectMult, mine, yours, tx, rx, echo]): ControlPacket => ({
      diagnostic,
      state: sessionStates[state]!,
      poll,
      final,
      controlPlaneIndependent: independent,
      demand,
      detectMult,
      myDiscriminator: mine,
      yourDiscriminator: state > 1 ? yours || 1 : yours,
      desiredMinTxUs: tx,
      requiredMinRxUs: rx,
      requiredMinEchoRxUs: echo
    })
  )
  it.prop("comes back as it was written", [packets], ([packet]) => {
    assert.deepStrictEqual(Result.getOrThrow(decodeControlPacket(encodeControlPacket(packet))), packet)
  })
})

describe("the reception rules that need no session, RFC 5880 §6.8.6", () => {
  const longer = (bytes: Uint8Array, count: number) => Uint8Array.from([...bytes, ...Array(count).fill(0)])
  const cases: ReadonlyArray<readonly [title: string, bytes: Uint8Array, reason: string]> = [
    ["nothing at all", new Uint8Array(0), "too-short"],
    ["an octet too few", upOctets.subarray(0, 23), "too-short"],
    ["version 0", changed({ 0: 0x00 }), "version"],
    ["version 2", changed({ 0: 0x40 }), "version"],
    ["Length 23", changed({ 3: 23 }), "length-too-small"],
    ["Length 25 with authentication", longer(changed({ 1: 0xc4, 3: 25 }), 2), "length-too-small"],
    ["Length 25 in 24 octets", changed({ 3: 25 }), "length-beyond-payload"],
    ["Detect Mult 0", changed({ 2: 0 }), "detect-mult-zero"],
    ["Multipoint", changed({ 1: 0xc1 }), "multipoint"],
    ["My Discriminator 0", changed({ 4: 0, 5: 0, 6: 0, 7: 0 }), "my-discriminator-zero"],
    ["Your Discriminator 0 in Up", changed({ 11: 0 }), "your-discriminator-zero"],
    ["Your Discriminator 0 in Init", changed({ 1: 0x80, 11: 0 }), "your-discriminator-zero"],
    ["Your Discriminator 0 in Down", changed({ 1: 0x40, 11: 0 }), "taken"],
    ["Your Discriminator 0 in AdminDown", changed({ 1: 0x00, 11: 0 }), "taken"],
    ["authentication", longer(changed({ 1: 0xc4, 3: 26 }), 2), "authentication"],
    ["octets behind the Length", longer(upOctets, 8), "taken"],
    ["Poll and Final at once, which no rule discards", changed({ 1: 0xf8 }), "taken"],
    ["a diagnostic without a name", changed({ 0: 0x3f }), "taken"]
  ]
  for (const [title, bytes, reason] of cases) {
    it(`${title}: ${reason}`, () => assert.strictEqual(reasonOf(bytes), reason))
  }

  it("read the slice they are given and nothing beside it", () => {
    const padded = Uint8Array.from([0xff, 0xff, 0xff, ...upOctets, 0xff])
    assert.deepStrictEqual(Result.getOrThrow(decodeControlPacket(padded.subarray(3, 27))), upPacket)
    assert.strictEqual(reasonOf(padded.subarray(3, 26)), "too-short")
  })
})
