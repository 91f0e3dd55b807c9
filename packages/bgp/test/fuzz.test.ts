import { assert, it } from "@effect/vitest"
import { hostPrefix } from "@lowtide/net"
import { Result } from "effect"
import { ownOpen } from "../src/fsm/negotiate.ts"
import { decodeBody, encodeMessage, takeFrame } from "../src/wire/message.ts"
import { ceaseWithText } from "../src/wire/notification.ts"
import { effectOf } from "../src/wire/update.ts"

const budgetMs = 3_000
const seed = (Date.now() ^ 0x5bd1e995) >>> 0

/** Mulberry32: a small generator, so that a printed seed gives the same octets again. */
const generator = (state: number) => () => {
  state = (state + 0x6d2b79f5) >>> 0
  let mixed = Math.imul(state ^ (state >>> 15), state | 1)
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
  return (mixed ^ (mixed >>> 14)) >>> 0
}

const contexts = [
  { fourOctetAs: true, isInternal: true },
  { fourOctetAs: false, isInternal: false }
]
const nlri = [hostPrefix({ family: 4, value: 0xc6336401n })]
const samples = [
  encodeMessage(
    ownOpen({
      localAsn: 65551,
      peerAsn: "any",
      routerId: 1,
      holdTimeSeconds: 90,
      connectRetryMs: 1,
      families: [4, 6],
      opens: "dial"
    }),
    contexts[0]!
  ),
  encodeMessage(ceaseWithText(2, "good night"), contexts[0]!),
  encodeMessage(
    {
      _tag: "Update",
      withdrawn: nlri,
      attributes: [
        {
          _tag: "MpReachNlri",
          family: 6,
          nextHop: { family: 6, value: 1n },
          nlri: [hostPrefix({ family: 6, value: 2n })]
        },
        { _tag: "Origin", value: "igp" },
        { _tag: "AsPath", segments: [{ kind: "sequence", asns: [64496, 65551] }] },
        { _tag: "NextHop", address: { family: 4, value: 1n } },
        { _tag: "LocalPref", value: 100 },
        { _tag: "Aggregator", asn: 64496, address: { family: 4, value: 1n } },
        { _tag: "Communities", values: [1, 2] },
        { _tag: "As4Path", segments: [{ kind: "set", asns: [65551] }] },
        { _tag: "LargeCommunities", values: [{ globalAdministrator: 1, data1: 2, data2: 3 }] },
        { _tag: "MpUnreachNlri", family: 6, withdrawn: [hostPrefix({ family: 6, value: 3n })] }
      ],
      nlri,
      faults: []
    },
    contexts[0]!
  )
]

it(`mutated messages never throw, and every refusal has a NOTIFICATION (seed ${seed})`, () => {
  const random = generator(seed)
  const deadline = performance.now() + budgetMs
  let decoded = 0
  let refused = 0
  let index = 0
  for (; index < 1_000_000 && performance.now() < deadline; index++) {
    const sample = samples[random() % samples.length]!
    const bytes = sample.slice()
    for (let flips = 1 + (random() % 4); flips > 0; flips--) bytes[16 + (random() % (bytes.length - 16))] = random()
    if (random() % 4 !== 0) bytes.set([bytes.length >> 8, bytes.length & 255, sample[18]!], 16) // past the header check
    const cut = random() % 8 === 0 ? bytes.subarray(0, random() % bytes.length) : bytes
    try {
      const frame = takeFrame(cut, 0)
      if (frame._tag === "Incomplete") continue
      const result = frame._tag === "WireFault" ? Result.fail(frame) : decodeBody(frame, contexts[index & 1]!)
      if (Result.isFailure(result)) {
        refused++
        assert.include([1, 2, 3], result.failure.notification.code)
      } else {
        decoded++
        if (result.success._tag === "Update") effectOf(result.success)
      }
    } catch (error) {
      throw new Error(`seed ${seed}, message ${index}: ${Buffer.from(cut).toString("hex")}`, { cause: error })
    }
  }
  // Both ways were taken often, or the mutations miss their mark.
  assert.isAbove(decoded, index / 20)
  assert.isAbove(refused, index / 20)
}, 20_000)
