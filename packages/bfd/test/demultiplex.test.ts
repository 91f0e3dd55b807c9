import { assert, describe, it } from "@effect/vitest"
import { type Path, pathKey, type SessionIndex, selectSession } from "../src/machine/demultiplex.ts"
import type { ControlPacket } from "../src/packet/control-packet.ts"

interface Session {
  readonly discriminator: number
  readonly path: Path
}
const single: Path = { hops: "single", localAddress: "192.0.2.2", peerAddress: "192.0.2.1" }
const multi: Path = { hops: "multi", localAddress: "192.0.2.2", peerAddress: "198.51.100.1" }
const scoped: Path = { hops: "single", localAddress: "fe80::2%up0", peerAddress: "fe80::1%up0", device: "up0" }
const sessions: ReadonlyArray<Session> = [
  { discriminator: 11, path: single },
  { discriminator: 12, path: multi },
  { discriminator: 13, path: scoped }
]
const index: SessionIndex<Session> = {
  byDiscriminator: new Map(sessions.map((session) => [session.discriminator, session])),
  byPath: new Map(sessions.map((session) => [pathKey(session.path), session]))
}

const chosen = (yourDiscriminator: number, came: Path): number | string => {
  const answer = selectSession(index, { yourDiscriminator } as ControlPacket, came)
  return "reason" in answer ? answer.reason : answer.discriminator
}

describe("which session a packet is for, RFC 5880 §6.8.6", () => {
  it("is said by Your Discriminator", () => {
    assert.deepStrictEqual([chosen(11, single), chosen(12, multi), chosen(13, scoped)], [11, 12, 13])
    assert.strictEqual(chosen(14, single), "unknown-discriminator")
  })

  it("is said by where it came from as long as the peer does not know ours", () => {
    assert.deepStrictEqual([chosen(0, single), chosen(0, multi), chosen(0, scoped)], [11, 12, 13])
    assert.strictEqual(chosen(0, { ...single, peerAddress: "192.0.2.9" }), "unknown-peer")
    assert.strictEqual(chosen(0, { ...scoped, device: "up1" }), "unknown-peer")
  })

  it("is none when it comes by another path than that of the session it names, RFC 5881 §5", () => {
    assert.strictEqual(chosen(11, { ...single, hops: "multi" }), "other-path") // a way round the check of the TTL
    assert.strictEqual(chosen(11, multi), "other-path")
    assert.strictEqual(chosen(13, { ...scoped, device: "up1" }), "other-path")
  })
})
