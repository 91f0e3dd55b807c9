import type { PeerEvent, PeerOptions, StopReason } from "@lowtide/bgp/peer"
import { Effect } from "effect"
import { assert, describe, it } from "vitest"
import { Peers } from "../src/peers.ts"
import { playedPeers } from "./played.ts"

const options: PeerOptions = {
  name: "router",
  host: "192.0.2.1",
  port: 179,
  localAsn: 64496,
  peerAsn: 64511,
  routerId: "192.0.2.11",
  holdTimeSeconds: 9,
  families: [4, 6]
}
const established: PeerEvent = {
  _tag: "SessionEstablished",
  remoteRouterId: "192.0.2.1",
  remoteAsn: 64511,
  holdTimeSeconds: 9,
  keptForSeconds: 0,
  families: [4, 6]
}
const written = (token: number): PeerEvent => ({ _tag: "RoutesWritten", token, announced: 0, withdrawn: 0 })
const acknowledged = (token: number): PeerEvent => ({ _tag: "RoutesAcknowledged", token })

/** One peer whose session is played by the test, and what it was given. */
const play = () => {
  const { startPeer: startPlayed, given, hear, adjusted } = playedPeers()
  const said: Array<string> = []
  const events: Array<PeerEvent> = []
  const clock = { nowMs: 0 }
  const ended: PeerEvent = { _tag: "SessionEnded", reason: "stopped by us", retryInMs: undefined, keptForSeconds: 0 }
  const stops: Array<StopReason> = []
  const startPeer: typeof startPlayed = (options, onEvent) =>
    Effect.map(startPlayed(options, onEvent), (peer) => ({
      ...peer,
      stop: (reason) =>
        Effect.sync(() => {
          stops.push(reason)
          onEvent(ended)
        })
    }))
  const peers = new Peers(
    {
      startPeer,
      onEvent: (_, event) => void events.push(event),
      onStopped: () => {},
      onToldAnew: () => {},
      table: () => [],
      monotonicMs: () => clock.nowMs,
      say: (_, text) => void said.push(text)
    },
    new Map()
  )
  peers.configure(new Map([[options.name, options]]))
  const acknowledgedTurn = () => [...peers.traces].map((trace) => trace.acknowledgedTurn)
  return { peers, given, hear, acknowledgedTurn, clock, adjusted, said, events, stops }
}

describe("Peers", () => {
  it("does not take a turn for told because a table is that was made before it, or because the kernel has it", () => {
    const { peers, given, hear, acknowledgedTurn } = play()
    peers.change(1, new Map())
    peers.change(2, new Map()) // a withdrawal, after the table was made and before the session is up
    hear(established)
    hear(written(1))
    hear(acknowledged(1))
    hear({ _tag: "TableWritten", announced: 3 })
    assert.deepStrictEqual(acknowledgedTurn(), [1])
    assert.deepStrictEqual(given.at(-1), { changes: [], token: 2 }, "the turn goes behind the table and all changes")
    hear(written(2))
    assert.deepStrictEqual(acknowledgedTurn(), [1])
    hear(acknowledged(2))
    assert.deepStrictEqual(acknowledgedTurn(), [2])
  })

  it("counts a router that keeps our routes over a restart as believing them for that much longer (RFC 4724 §4.2)", () => {
    const { peers, hear } = play()
    const seconds = () => [...peers.holdTimes().values()]
    assert.deepStrictEqual(seconds(), [9])
    hear({ ...established, keptForSeconds: 120 })
    assert.deepStrictEqual(seconds(), [129])
    hear({ ...established, holdTimeSeconds: 0, keptForSeconds: 120 })
    assert.deepStrictEqual(seconds(), [Number.POSITIVE_INFINITY])
  })

  it("leaves a session up for what it can take up as it is, and says for which field another begins anew", () => {
    const { peers, hear, adjusted, said, events, stops } = play()
    hear(established)
    const eager = { ...options, keepaliveTimeSeconds: 1, connectRetrySeconds: 7, nextHops: { 6: "2001:db8::11" } }
    peers.configure(new Map([[options.name, eager]]))
    assert.deepStrictEqual([adjusted.at(-1), said], [eager, []])
    peers.configure(new Map([[options.name, { ...eager, holdTimeSeconds: 30 }]]))
    assert.deepStrictEqual(said, ["peer router: its session begins anew, for what changed: holdTime from 9 to 30"])
    // RFC 4486 §4: it comes back at once, so it is no shutdown.
    assert.deepStrictEqual(stops, [{ subcode: "administrative-reset", text: "changed: holdTime from 9 to 30" }])
    const last = events.at(-1)
    assert.strictEqual(
      last?._tag === "SessionEnded" && last.reason,
      "stopped by us; it begins anew, for what changed: holdTime from 9 to 30"
    )
  })

  it("hands a session that comes up again the turn of that moment, and takes nothing of before for told", () => {
    const { peers, given, hear, acknowledgedTurn, clock } = play()
    peers.change(7, new Map())
    hear(established)
    hear(written(7))
    hear(acknowledged(7))
    clock.nowMs = 5_000
    hear({ _tag: "SessionEnded", reason: "closed", retryInMs: 1_000, keptForSeconds: 0 })
    assert.deepStrictEqual(
      [...peers.traces].map(({ isUp, downSinceMs, holdTimeMs }) => [isUp, downSinceMs, holdTimeMs]),
      [[false, 5_000, 9_000]]
    )
    peers.change(8, new Map())
    given.length = 0
    hear(established)
    hear({ _tag: "TableWritten", announced: 0 })
    assert.deepStrictEqual([given, acknowledgedTurn()], [[{ changes: [], token: 8 }], [-1]])
  })
})
