import { Stamp } from "@lowtide/domain/announcing/intent"
import { Schema } from "effect"
import { Envelope } from "./envelope.ts"

/** What ended or prevented a session: when, by the node's clock, in words, and the NOTIFICATION's code and name. */
const SessionError = Schema.Struct({
  at: Schema.String,
  reason: Schema.String,
  notification: Schema.optionalKey(Schema.String)
})

/** One BGP session as its speaker sees it. */
export const SessionStatus = Schema.Struct({
  peer: Schema.String,
  peerAddress: Schema.String,
  peerAsn: Schema.Int,
  /** RFC 4271 §8.2.2 state. */
  state: Schema.String,
  /** When it entered the state, RFC 3339 by the node's clock. */
  since: Schema.String,
  /** Prefixes on the wire. */
  prefixes: Schema.Int,
  /** What last ended or prevented the session, in words; null when nothing ever did. */
  lastError: Schema.NullOr(Schema.String),
  /** The stable code of `lastError`. */
  lastErrorCode: Schema.NullOr(Schema.String),
  // An older release says nothing of what follows.
  /** State of its BFD session (RFC 5880 §6.2), `Unknown` while BFD is not run with it; missing where none is wanted. */
  bfd: Schema.optionalKey(Schema.String),
  /** What keeps BFD from being run: a code and words. */
  bfdFault: Schema.optionalKey(Schema.Struct({ code: Schema.String, message: Schema.String })),
  /** When the session that is up came up, RFC 3339 by the node's clock. */
  establishedAt: Schema.optionalKey(Schema.String),
  /** Our end of its connection. */
  localAddress: Schema.optionalKey(Schema.String),
  /** What its routes have as next hop, by family. */
  nextHops: Schema.optionalKey(
    Schema.Struct({ 4: Schema.optionalKey(Schema.String), 6: Schema.optionalKey(Schema.String) })
  ),
  /** What was found out about a session that does not come up, a sentence each; missing where nothing was. */
  evidence: Schema.optionalKey(Schema.Array(Schema.String)),
  /** What the peer of the session that is up says that it is to us (RFC 9234), as the configuration calls it; missing where it tells none. */
  peerRole: Schema.optionalKey(Schema.String),
  /** Prefixes that the peer announced to us, all sessions together. */
  received: Schema.optionalKey(Schema.Int),
  /** The last end by each side: the NOTIFICATION that we sent, that the peer sent, or one without. */
  errors: Schema.optionalKey(
    Schema.Struct({
      sent: Schema.optionalKey(SessionError),
      received: Schema.optionalKey(SessionError),
      local: Schema.optionalKey(SessionError)
    })
  )
})
export type SessionStatus = typeof SessionStatus.Type

/** A VIP as a node holds it, from the newest intent that it accepted. */
export const HeldVip = Schema.Struct({
  network: Schema.String,
  address: Schema.String,
  state: Schema.Literals(["announced", "withdrawn"]),
  stamp: Stamp,
  cseq: Schema.Int,
  services: Schema.Array(Schema.Struct({ namespace: Schema.String, name: Schema.String, uid: Schema.String })),
  obliged: Schema.Array(Schema.String)
})
export type HeldVip = typeof HeldVip.Type

/** The newest status of one node: what it holds, what it announces, how its sessions are. */
export const NodeStatus = Schema.TaggedStruct("NodeStatus", {
  cluster: Schema.String,
  node: Schema.String,
  /** The node's clock, RFC 3339. */
  at: Schema.String,
  /** Names one run of the speaker. */
  runId: Schema.String,
  /** The newest fleet version that its speaker knows; the first where it does not say. */
  fleetVersion: Schema.optionalKey(Schema.Int),
  /** Whether it holds all that the centre's newest head speaks of. */
  sync: Schema.Literals(["live", "stale"]),
  /** The newest message applied. */
  cseq: Schema.Int,
  /** Its stamp; missing of a node that holds none, and of an older release. */
  stamp: Schema.optionalKey(Stamp),
  /**
   * A head or a message as the centre signed it, by which it shows that the centre had come to its stamp; missing of a node
   * that holds none, and of an older release.
   */
  proof: Schema.optionalKey(Envelope),
  /** VIPs that it holds from before the incarnation of `stamp`, which has no word of them; missing where there are none. */
  former: Schema.optionalKey(Schema.Int),
  /** Everything up to this message that says "withdraw" is withdrawn on every session, or its hold time has passed. */
  confirmedCseq: Schema.Int,
  /**
   * Keys that signed what is in effect at it: its own intent, and VIPs to be announced, also such as the centre has no word
   * of. Whoever retires one of them takes these away. Missing of an older release.
   */
  signers: Schema.optionalKey(Schema.Array(Schema.String)),
  sessions: Schema.Array(SessionStatus),
  /** When what it holds last agreed with a head, RFC 3339 by the node's clock; missing where it never did in this run or the one before. */
  agreedAt: Schema.optionalKey(Schema.String),
  /** Addresses it announces on at least one established session. */
  announcing: Schema.Array(Schema.String),
  /** Of what it is to announce, what another established session has yet to be told of; missing where there is nothing. */
  untold: Schema.optionalKey(Schema.Array(Schema.String)),
  /** What its brake holds back; missing when it holds nothing. */
  brake: Schema.optionalKey(
    Schema.Struct({
      /** Messages that wait. */
      held: Schema.Int,
      /** Whether the node's own intent is among them. */
      isNodeHeld: Schema.Boolean,
      /** Of VIPs that wait, the first. */
      addresses: Schema.Array(Schema.String),
      /** Since when the first of them waits, RFC 3339 by the node's clock. */
      since: Schema.String
    })
  ),
  /** What a person at the node took away: how many orders, and the first of them; missing where there are none. */
  withheld: Schema.optionalKey(
    Schema.Struct({
      count: Schema.Int,
      orders: Schema.Array(
        Schema.Struct({
          /** Every route in it; null: every route of the node. */
          prefix: Schema.NullOr(Schema.String),
          reason: Schema.String,
          actor: Schema.String,
          /** RFC 3339, the node's clock. */
          since: Schema.String
        })
      )
    })
  ),
  /** The answer to a roll call: everything that the node holds, in as many statuses as it takes. */
  held: Schema.optionalKey(
    Schema.Struct({
      /** Of the roll call. */
      incarnation: Schema.Int,
      /** From 0. */
      part: Schema.Int,
      parts: Schema.Int,
      vips: Schema.Array(HeldVip)
    })
  ),
  /**
   * What it refuses now, by code: of how many messages that is so, at most 1,000, one of them in words, and since when, RFC 3339 by
   * the node's clock. Missing where there is nothing, and of an older release.
   */
  refusing: Schema.optionalKey(
    Schema.Array(
      Schema.Struct({ code: Schema.String, count: Schema.Int, message: Schema.String, since: Schema.String })
    )
  ),
  /** Messages it refused: forged, not allowed, out of date. Code and words, the newest last, at most 20. */
  refused: Schema.Array(Schema.Struct({ code: Schema.String, message: Schema.String, at: Schema.String }))
})
export type NodeStatus = typeof NodeStatus.Type

/** What became of one VIP at one node, or of one session. */
export const WireEntry = Schema.Union([
  Schema.TaggedStruct("Applied", {
    network: Schema.String,
    address: Schema.String,
    stamp: Stamp,
    cseq: Schema.Int,
    verdict: Schema.String,
    /** Why now: a new intent, endpoints of the node's own, or a session that came up. */
    trigger: Schema.Literals(["intent", "endpoints", "session"]),
    /** RFC 3339, the node's clock; null where the step was not taken for this entry. */
    receivedAt: Schema.NullOr(Schema.String),
    savedAt: Schema.NullOr(Schema.String),
    /** A person at the node took it away, or gave it back; the trigger is `intent` then, as an older reader knows no other. */
    byHand: Schema.optionalKey(
      Schema.Struct({
        order: Schema.Literals(["withdraw", "restore"]),
        reason: Schema.String,
        actor: Schema.String
      })
    ),
    peers: Schema.Array(
      Schema.Struct({
        peer: Schema.String,
        /** Refused: the peer is to have it, and the session cannot carry it. */
        action: Schema.Literals(["announced", "withdrawn", "unchanged", "refused"]),
        /** When the message's octets were handed to the kernel. */
        writtenAt: Schema.String,
        /** The node is standby for it: announced as that, or withdrawn from a peer that takes none. Missing of an equal, and of an older release. */
        standby: Schema.optionalKey(Schema.Literal(true))
      })
    )
  }),
  Schema.TaggedStruct("Session", {
    peer: Schema.String,
    change: Schema.Literals(["up", "down", "refused"]),
    at: Schema.String,
    code: Schema.NullOr(Schema.String),
    detail: Schema.String
  }),
  Schema.TaggedStruct("StatusWritten", {
    namespace: Schema.String,
    name: Schema.String,
    stamp: Stamp,
    at: Schema.String
  })
])
export type WireEntry = typeof WireEntry.Type

/** What a node (or, for `StatusWritten`, an agent) did since its last report. */
export const WireReport = Schema.TaggedStruct("WireReport", {
  cluster: Schema.String,
  node: Schema.String,
  entries: Schema.Array(WireEntry)
})
export type WireReport = typeof WireReport.Type
