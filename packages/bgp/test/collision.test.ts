import { assert, describe, it, vi } from "@effect/vitest"
import { Effect } from "effect"
import { type Collision, judgeCollision, type Opening } from "../src/fsm/collision.ts"
import type { State } from "../src/fsm/machine.ts"
import { type BgpListener, type BgpPeer, type PeerEvent, startListener, startPeer } from "../src/index.ts"
import type { Capability } from "../src/wire/capability.ts"
import { until } from "./live.ts"

vi.setConfig({ testTimeout: 60_000 })

const deadline = Number.POSITIVE_INFINITY
const negotiated = { peerAsn: 64501, peerRouterId: 1, keptForSeconds: 0 }
const up = (...peerCapabilities: ReadonlyArray<Capability>) =>
  ({ _tag: "Established", negotiated: { ...negotiated, keptForSeconds: 120, peerCapabilities } }) as unknown as State
const ofRestart = { _tag: "GracefulRestart", flags: 0, restartTimeSeconds: 120 } as const
const helper = { ...ofRestart, families: [] }
const restarter = { ...ofRestart, families: [{ afi: 1, safi: 1, flags: 0x80 }] }
const confirm = { _tag: "OpenConfirm", negotiated, holdDeadlineMs: deadline } as State

describe("of two connections with a peer, RFC 4271 §6.8", () => {
  const higher = { routerId: 2, asn: 64512 }
  const lower = { routerId: 1, asn: 64501 }
  const cases: ReadonlyArray<readonly [string, Opening, "own is higher" | "own is lower", Opening, State, Collision]> =
    [
      ["ours stays, it was there first", "accept", "own is higher", "dial", confirm, "drop-this"],
      ["ours stays, it came second", "dial", "own is higher", "accept", confirm, "drop-other"],
      ["the peer's stays, it was there first", "dial", "own is lower", "accept", confirm, "drop-this"],
      ["the peer's stays, it came second", "accept", "own is lower", "dial", confirm, "drop-other"],
      ["two of the peer's: the newer stays", "accept", "own is higher", "accept", confirm, "drop-other"],
      ["a session that is up stays", "accept", "own is lower", "dial", up(), "drop-this"],
      [
        "one whose peer restarts and connects anew is dead",
        "accept",
        "own is higher",
        "dial",
        up(restarter),
        "drop-other"
      ],
      ["one whose peer only helps stays", "accept", "own is higher", "dial", up(helper), "drop-this"],
      [
        "a session that is up is not left for our own dial",
        "dial",
        "own is higher",
        "accept",
        up(restarter),
        "drop-this"
      ]
    ]
  it.each(cases)("%s", (_, opens, who, otherOpens, state, expected) => {
    const [own, peer] = who === "own is higher" ? [higher, lower] : [lower, higher]
    assert.strictEqual(judgeCollision({ opens, own, peer }, { opens: otherOpens, state }), expected)
  })
  it("with equal identifiers the higher AS decides (RFC 6286 §2.3)", () => {
    const [own, peer] = [
      { routerId: 1, asn: 64512 },
      { routerId: 1, asn: 64501 }
    ]
    assert.strictEqual(judgeCollision({ opens: "dial", own, peer }, { opens: "accept", state: confirm }), "drop-other")
    assert.strictEqual(
      judgeCollision({ opens: "dial", own: peer, peer: own }, { opens: "accept", state: confirm }),
      "drop-this"
    )
  })
  it("one without the peer's OPEN is left alone", () => {
    const state: State = { _tag: "OpenSent", backOff: { unreachable: 0, refused: 0 }, holdDeadlineMs: deadline }
    assert.strictEqual(judgeCollision({ opens: "dial", own: lower, peer: higher }, { opens: "accept", state }), "none")
  })
})

/** A speaker that listens on an address of its own. */
const listening = (host: string) => startListener({ host, port: 0 }, () => {})

interface Side {
  readonly peer: BgpPeer
  readonly events: ReadonlyArray<PeerEvent>
}

/** One side of two that dial each other. */
const side = (own: BgpListener, other: BgpListener, part: { readonly asn: number; readonly peerAsn: number }) =>
  Effect.gen(function* () {
    const events: Array<PeerEvent> = []
    const peer = yield* startPeer(
      {
        name: `to ${other.host}`,
        host: other.host,
        port: other.port,
        localAddress: own.host,
        localAsn: part.asn,
        peerAsn: part.peerAsn,
        routerId: own.host.replace("127", "192"),
        holdTimeSeconds: 90,
        connectRetrySeconds: 0.05,
        families: [4]
      },
      (event) => events.push(event)
    )
    own.setPeers([peer])
    return { peer, events } satisfies Side
  })

const isUp = ({ peer }: Side): boolean => peer.status().state === "Established"
const count = ({ events }: Side, tag: PeerEvent["_tag"]) => events.filter(({ _tag }) => _tag === tag).length

describe("two speakers that dial each other", () => {
  it.live("have one session in each of fifty rounds, and never two", () =>
    Effect.gen(function* () {
      const opened = { us: 0, peer: 0 }
      for (let round = 0; round < 50; round++) {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const [first, second] = [yield* listening("127.0.0.1"), yield* listening("127.0.0.2")]
            const sides = [
              yield* side(first, second, { asn: 64496, peerAsn: 64511 }),
              yield* side(second, first, { asn: 64511, peerAsn: 64496 })
            ]
            yield* until("both up", () => sides.every(isUp))
            // Whatever was under way besides has ended: the session stays, and it is the same one for both.
            yield* until("one opener", () => new Set(sides.map(({ peer }) => peer.status().openedBy)).size === 2)
            for (const each of sides) {
              assert.strictEqual(count(each, "SessionEstablished") - count(each, "SessionEnded"), 1)
            }
            opened[sides[0]!.peer.status().openedBy]++
          })
        )
      }
      assert.deepStrictEqual(opened, { us: 0, peer: 50 }) // the other side's identifier is the higher one
    })
  )

  it.live("a session that the peer opened ends, and is dialled again", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* listening("127.0.0.1"), yield* listening("127.0.0.2")]
      const lasting = yield* side(first, second, { asn: 64496, peerAsn: 64511 })
      yield* until("refused: nobody is configured there", () => count(lasting, "ConnectFailed") > 0)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const passing = yield* side(second, first, { asn: 64511, peerAsn: 64496 })
          yield* until("both up", () => isUp(lasting) && isUp(passing))
          second.setPeers([])
        })
      )
      yield* until("it ended", () => count(lasting, "SessionEnded") > 0)
      const again = yield* side(second, first, { asn: 64511, peerAsn: 64496 })
      yield* until("both up again", () => isUp(lasting) && isUp(again))
    })
  )
})
