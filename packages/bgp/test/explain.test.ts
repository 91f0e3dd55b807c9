import { assert, describe, it } from "@effect/vitest"
import { explainEnd, noAnswer, type PeerIdentity } from "../src/fsm/explain.ts"
import type { EndCause, State } from "../src/fsm/machine.ts"
import { ceaseWithText, notification } from "../src/wire/notification.ts"

const peer: PeerIdentity = { name: "tor-a", host: "10.0.0.1", localAsn: 64512, peerAsn: 64501 }
const received = (code: number, subcode: number): EndCause => ({
  _tag: "NotificationReceived",
  notification: notification(code, subcode)
})

describe("what an operator is told", () => {
  const sentences: ReadonlyArray<readonly [State["_tag"], EndCause, string]> = [
    [
      "Connect",
      { _tag: "ConnectFailed", reason: "no route to the host" },
      "peer tor-a (10.0.0.1) cannot be reached: no route to the host"
    ],
    [
      "OpenSent",
      { _tag: "ConnectionClosed", reason: "closed by the peer" },
      "peer tor-a (10.0.0.1) took the TCP connection but closed it before the session was up (closed by the peer); most often it has no neighbour configured with our address"
    ],
    [
      "Established",
      { _tag: "ConnectionClosed", reason: "reset by the peer" },
      "session with peer tor-a (10.0.0.1) ended: the TCP connection was lost (reset by the peer)"
    ],
    [
      "OpenSent",
      received(2, 2),
      "peer tor-a (10.0.0.1) refused the session: NOTIFICATION 2/2 Bad Peer AS sent by the peer; it expects another ASN than our 64512"
    ],
    [
      "Established",
      { _tag: "NotificationReceived", notification: ceaseWithText(2, 'lab "b"') },
      'peer tor-a (10.0.0.1) ended the session: NOTIFICATION 6/2 Administrative Shutdown sent by the peer with the text "lab \\"b\\""'
    ],
    [
      "OpenSent",
      { _tag: "NotificationSent", notification: notification(2, 6), reason: "expected 3 s, found 1 s" },
      "session with peer tor-a (10.0.0.1) not opened: expected 3 s, found 1 s; NOTIFICATION 2/6 Unacceptable Hold Time sent by us"
    ],
    [
      "Established",
      { _tag: "Stopped", notification: notification(6, 3) },
      "session with peer tor-a (10.0.0.1) stopped by us: 6/3 Peer De-configured"
    ],
    [
      "Established",
      { _tag: "PathFailed", reason: "BFD lost it", notification: notification(6, 10) },
      "session with peer tor-a (10.0.0.1) ended: BFD lost it; NOTIFICATION 6/10 BFD Down sent by us"
    ],
    [
      "Established",
      { _tag: "PathFailed", reason: "BFD lost it", notification: undefined },
      "session with peer tor-a (10.0.0.1) ended: BFD lost it; the connection is closed without a NOTIFICATION, so that the peer keeps our routes for the restart time"
    ],
    ["Idle", { _tag: "Stopped", notification: undefined }, "session with peer tor-a (10.0.0.1) stopped by us"]
  ]
  it.each(sentences)("%s: %o", (from, cause, sentence) => {
    assert.strictEqual(explainEnd(peer, from, cause), sentence)
  })

  it("silence may come of a password, and of a TTL that ends on the link", () => {
    const silence: EndCause = { _tag: "ConnectFailed", reason: noAnswer }
    const far = explainEnd({ ...peer, ttl: 1 }, "Connect", silence)
    assert.match(
      far,
      /without one; with TTL 1 it is reached on our own link alone: one further away needs ebgpMultiHop$/
    )
    assert.notInclude(explainEnd({ ...peer, ttl: 64 }, "Connect", silence), "TTL")
    assert.notInclude(explainEnd({ ...peer, ttl: 1 }, "Connect", { ...silence, reason: "refused" }), "TTL")
  })

  it.each([
    [2, 3, /router id/],
    [2, 6, /hold time/],
    [2, 7, /capability or an address family/],
    [4, 0, /heard nothing from us/],
    [6, 1, /fewer prefixes than we announce/],
    [6, 3, /no longer has us as a neighbour/],
    [6, 5, /no neighbour configured/]
  ])("a refusal %i/%i has a hint", (code, subcode, hint) => {
    assert.match(explainEnd(peer, "OpenSent", received(code, subcode)), hint)
  })
})
