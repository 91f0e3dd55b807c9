import type { NotificationReport, PeerEvent } from "@lowtide/bgp/peer"
import { assert, describe, it } from "vitest"
import { faultRepeatMs, SessionNotes } from "../src/session-notes.ts"

const notification = (code: number, direction: "sent" | "received"): NotificationReport => ({
  code,
  subcode: 0,
  name: `${code}/0`,
  direction
})
const failed = (change: object = {}): PeerEvent => ({
  _tag: "ConnectFailed",
  reason: "peer router cannot be reached",
  retryInMs: 1_000,
  ...change
})
const refusal = { notification: notification(2, "sent") }
const ended = (change: object = {}): PeerEvent => ({
  _tag: "SessionEnded",
  reason: "it ended",
  retryInMs: 0,
  keptForSeconds: 0,
  ...change
})
const established = (families: ReadonlyArray<4 | 6> = [4, 6]): PeerEvent => ({
  _tag: "SessionEstablished",
  remoteRouterId: "203.0.113.1",
  remoteAsn: 64501,
  holdTimeSeconds: 90,
  keptForSeconds: 0,
  families
})
const refused = (family: 4 | 6, reason: string): PeerEvent => ({ _tag: "RoutesRefused", family, routes: 2, reason })

describe("SessionNotes", () => {
  const rows: ReadonlyArray<readonly [string, PeerEvent, string | null, string]> = [
    ["no connection", failed(), "LT0301", "refused"],
    ["a NOTIFICATION instead of an OPEN", failed({ notification: notification(2, "received") }), "LT0302", "refused"],
    ["an OPEN that we refuse", failed({ notification: notification(2, "sent") }), "LT0305", "refused"],
    ["a connection that was lost", ended(), "LT0301", "down"],
    ["the peer's Cease", ended({ notification: notification(6, "received") }), "LT0302", "down"],
    ["our hold timer", ended({ notification: notification(4, "sent") }), "LT0304", "down"],
    ["a path that BFD lost", ended({ notification: notification(6, "sent"), isPathFailure: true }), "LT0311", "down"],
    ["our own stop", ended({ notification: notification(6, "sent"), isStopped: true }), null, "down"],
    ["our own stop before it is up", failed({ isStopped: true }), null, "refused"],
    ["a connection that was lost with a peer that is to connect", ended({ retryInMs: undefined }), "LT0301", "down"],
    ["an OPEN of such a peer that we refuse", failed({ ...refusal, retryInMs: undefined }), "LT0305", "refused"],
    ["routes without a next hop", refused(6, "there is no IPv6 next hop for this peer"), "LT0303", "refused"],
    ["a family that was not agreed to", refused(6, "the peer did not agree to IPv6 unicast"), "LT0306", "refused"]
  ]
  for (const [title, event, code, change] of rows) {
    it(`${code}: ${title}`, () => {
      const notes = new SessionNotes()
      notes.note("router", established(code === "LT0306" ? [4] : [4, 6]), 0)
      const { entries, line } = notes.note("router", event, 1_000)
      const [entry] = entries
      assert.deepStrictEqual(entry?._tag === "Session" && [entry.code, entry.change], [code, change])
      assert.strictEqual(notes.lastFault("router")?.code ?? null, code)
      assert.strictEqual(line?.text.startsWith(`${code} `), code !== null)
    })
  }

  it("tells a fault that goes on once, until the session was up or five minutes passed", () => {
    const notes = new SessionNotes()
    const told = (event: PeerEvent, atMs: number) => notes.note("router", event, atMs).line !== undefined
    assert.isTrue(told(failed(), 0))
    assert.isFalse(told(failed(), 10_000))
    assert.isTrue(told(failed({ reason: "another" }), 10_000))
    assert.isTrue(told(failed(), faultRepeatMs))
    assert.isTrue(told(established(), faultRepeatMs))
    assert.isTrue(told(ended(), faultRepeatMs))
    assert.isTrue(told(established(), faultRepeatMs))
    assert.isTrue(told(ended(), faultRepeatMs), "each end of a session is news")
    assert.isTrue(told(failed(), faultRepeatMs))
  })

  it("a refusal that the router names is told with what to do about it", () => {
    const cease = {
      code: 6,
      subcode: 1,
      name: "6/1 Maximum Number of Prefixes Reached",
      direction: "received"
    } as const
    const { line } = new SessionNotes().note(
      "router",
      failed({ notification: cease, reason: `NOTIFICATION ${cease.name} sent by the peer` }),
      0
    )
    assert.match(line?.text ?? "", /^LT0302 .*\. Fix: Raise the router's limit of prefixes for this node/)
  })
})
