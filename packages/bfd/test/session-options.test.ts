import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { readSessionOptions, sessionDefaults } from "../src/session-options.ts"

const ends = { peerAddress: "192.0.2.1", localAddress: "192.0.2.2" }
const scoped = { peerAddress: "fe80::1%eth0", localAddress: "fe80::2%eth0" }

describe("what a session is asked to be", () => {
  it("has a default for all but its two ends, 300 ms x 3", () => {
    const { receiveIntervalMs, transmitIntervalMs, detectMultiplier } = sessionDefaults
    assert.deepStrictEqual([receiveIntervalMs, transmitIntervalMs, detectMultiplier], [300, 300, 3])
    assert.deepStrictEqual(Result.getOrThrow(readSessionOptions(ends)), { ...sessionDefaults, ...ends })
  })

  it("has its addresses in one spelling, zones included", () => {
    const spelt = { peerAddress: "2001:DB8:0::1", localAddress: "2001:db8::0:2" }
    const read = Result.getOrThrow(readSessionOptions(spelt))
    assert.deepInclude(read, { peerAddress: "2001:db8::1", localAddress: "2001:db8::2" })
    assert.deepInclude(Result.getOrThrow(readSessionOptions(scoped)), scoped)
  })

  const refused: ReadonlyArray<readonly [value: unknown, message: string]> = [
    [null, "expected an object, found null"],
    [
      { localAddress: "192.0.2.2" },
      "peerAddress: expected an address such as 192.0.2.1 or fe80::1%eth0, found undefined"
    ],
    [
      { ...ends, peerAddress: "router" },
      'peerAddress: expected an address such as 192.0.2.1 or fe80::1%eth0, found "router"'
    ],
    [
      { ...ends, peerAddress: "fe80::1" },
      'peerAddress: expected an address such as 192.0.2.1 or fe80::1%eth0, found "fe80::1"'
    ],
    [
      { ...ends, peerAddress: "192.0.2.1%eth0" },
      'peerAddress: expected an address such as 192.0.2.1 or fe80::1%eth0, found "192.0.2.1%eth0"'
    ],
    [
      { ...ends, localAddress: "2001:db8::2" },
      "localAddress: expected one of the family and zone of 192.0.2.1, found 2001:db8::2"
    ],
    [
      { ...scoped, localAddress: "fe80::2%eth1" },
      "localAddress: expected one of the family and zone of fe80::1%eth0, found fe80::2%eth1"
    ],
    [{ ...scoped, hops: "multi" }, 'peerAddress: fe80::1%eth0 is on the link, so its hops are "single"'],
    [{ ...ends, hops: 2 }, "hops: expected single or multi, found 2"],
    [{ ...ends, device: "a/b" }, 'device: expected the name of an interface, found "a/b"'],
    [{ ...ends, receiveIntervalMs: 9 }, "receiveIntervalMs: expected a whole number from 10 to 60000, found 9"],
    [
      { ...ends, transmitIntervalMs: 60_001 },
      "transmitIntervalMs: expected a whole number from 10 to 60000, found 60001"
    ],
    [{ ...ends, detectMultiplier: 0 }, "detectMultiplier: expected a whole number from 1 to 255, found 0"],
    [{ ...ends, minimumTtl: 255 }, "minimumTtl: expected a whole number from 1 to 254, found 255"],
    [{ ...ends, passiveMode: "yes" }, 'passiveMode: expected true or false, found "yes"'],
    [
      { ...ends, echoMode: true },
      "echoMode is no field of a session: peerAddress, localAddress, hops, device, receiveIntervalMs, transmitIntervalMs, detectMultiplier, passiveMode, minimumTtl, adminDown"
    ]
  ]
  for (const [value, message] of refused) {
    it(`is refused: ${message}`, () => {
      assert.deepStrictEqual(readSessionOptions(value), Result.fail(message))
    })
  }
})
