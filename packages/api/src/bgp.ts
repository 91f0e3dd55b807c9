import { Schema } from "effect"
import { AddressesText, at, InstantText, nameText } from "./parameters.ts"
import { Instant, reading, reportsKept } from "./reading.ts"
import { WithheldOrders } from "./withheld.ts"

/** What ended or prevented a session, by one side. */
export const SessionErrorView = Schema.Struct({
  at: Instant,
  reason: Schema.String,
  notification: Schema.NullOr(Schema.String).annotate({ description: "Code, subcode and name: `2/2 Bad Peer AS`" })
}).annotate({ identifier: "SessionError" })

/** One session of one node, as the node has it or was heard to have it. */
export const BgpSession = Schema.Struct({
  cluster: Schema.String,
  node: Schema.String,
  peer: Schema.String,
  peerAddress: Schema.String,
  peerPort: Schema.Int,
  localAsn: Schema.Int,
  peerAsn: Schema.Int.annotate({
    description: "As it said, else as configured; 0: any will do, and none is there yet"
  }),
  localAddress: Schema.NullOr(Schema.String),
  state: Schema.String.annotate({
    description:
      "RFC 4271 §8.2.2 state; Unknown where it is not known. At an earlier time: Established, Down or Unknown"
  }),
  since: Schema.NullOr(Instant).annotate({ description: "When it entered the state, the node's clock" }),
  establishedAt: Schema.NullOr(Instant).annotate({ description: "When it came up; null while it is down" }),
  prefixesSent: Schema.Int.annotate({ description: "On the wire" }),
  prefixesWanted: Schema.Int.annotate({ description: "That the peer is to have" }),
  withheld: Schema.optionalKey(WithheldOrders).annotate({
    description:
      "What a person at the node took away by hand, from this peer as from all; missing where nothing, or not known"
  }),
  prefixesReceived: Schema.NullOr(Schema.Int).annotate({
    description: "That it announced to us, all sessions together: counted, never used; null where it is not known"
  }),
  bfd: Schema.NullOr(Schema.String).annotate({
    description: "State of its BFD session, Unknown while BFD is not run with it; null where none is wanted"
  }),
  bfdFault: Schema.optionalKey(Schema.Struct({ code: Schema.String, message: Schema.String })).annotate({
    description: "What keeps BFD from being run with it; missing where nothing does"
  }),
  settings: Schema.Struct({
    ttlSecurityHops: Schema.NullOr(Schema.Int).annotate({ description: "GTSM: what has come further is dropped" }),
    maximumPrefixes: Schema.NullOr(Schema.Int).annotate({ description: "More of them end the session" }),
    role: Schema.NullOr(Schema.String).annotate({ description: "What the node is to the peer, RFC 9234" }),
    roleStrict: Schema.Boolean.annotate({ description: "A peer that tells no role is refused" }),
    standby: Schema.NullOr(Schema.Literal("none")).annotate({
      description: "none: it is told nothing that the node is standby for"
    })
  }).annotate({ description: "What annotations of its BGPPeer ask for; null where one is not set" }),
  peerRole: Schema.NullOr(Schema.String).annotate({
    description: "What the peer says that it is to us (RFC 9234); null where it tells none, or no session is up"
  }),
  why: Schema.NullOr(
    Schema.Struct({ code: Schema.NullOr(Schema.String), reason: Schema.String, fix: Schema.NullOr(Schema.String) })
  ).annotate({ description: "Why it is not established; null where it is" }),
  evidence: Schema.Array(Schema.String).annotate({
    description:
      "What the node found out about one that does not come up: what its kernel dropped, what the router answers; of one that is up, what it found when the one before had heard nothing"
  }),
  lastErrors: Schema.Struct({
    sent: Schema.NullOr(SessionErrorView).annotate({ description: "The last NOTIFICATION that we sent" }),
    received: Schema.NullOr(SessionErrorView).annotate({ description: "The last NOTIFICATION that the peer sent" }),
    local: Schema.NullOr(SessionErrorView).annotate({ description: "The last end without a NOTIFICATION" })
  }),
  sync: Schema.String.annotate({ description: "How well its node is heard" })
}).annotate({ identifier: "BgpSession" })
export type BgpSession = typeof BgpSession.Type

/** Answer of `GET /v1/bgp/peers`. */
export const BgpSessionList = Schema.Struct({
  ...reading,
  ...reportsKept,
  items: Schema.Array(BgpSession)
})
export type BgpSessionList = typeof BgpSessionList.Type

/** One prefix that one peer of one node is to have, with its path attributes. */
export const BgpRoute = Schema.Struct({
  cluster: Schema.String,
  node: Schema.String,
  peer: Schema.String,
  prefix: Schema.String,
  isStandby: Schema.Boolean.annotate({ description: "A worse path than that of admitted nodes" }),
  nextHop: Schema.NullOr(Schema.String).annotate({ description: "Null while the session is down, or not known" }),
  asPath: Schema.Array(Schema.Int),
  localPref: Schema.NullOr(Schema.Int).annotate({ description: "Null to external peers, which are sent none" }),
  med: Schema.NullOr(Schema.Int).annotate({ description: "Null where none is sent" }),
  communities: Schema.Array(Schema.String),
  largeCommunities: Schema.Array(Schema.String),
  vips: Schema.Array(
    Schema.Struct({
      network: Schema.String,
      address: Schema.String,
      services: Schema.Array(Schema.String),
      advertisements: Schema.Array(Schema.String),
      event: Schema.NullOr(
        Schema.Struct({
          seq: Schema.Int,
          type: Schema.NullOr(Schema.String),
          reason: Schema.NullOr(Schema.String),
          actor: Schema.NullOr(Schema.String)
        })
      )
    })
  ).annotate({ description: "For whom it is announced, by which advertisements, and the event that led to it" }),
  since: Schema.NullOr(Instant).annotate({ description: "Since when the peer has it, the node's clock" }),
  intentAgreedAt: Schema.NullOr(Instant).annotate({
    description: "When what the node holds last agreed with the centre; null where that is not known"
  }),
  confirmed: Schema.Union([
    Schema.Struct({ by: Schema.Literal("bmp"), router: Schema.String, at: Instant }),
    Schema.Struct({ by: Schema.Literal("written"), at: Instant }),
    Schema.Struct({ by: Schema.Null, reason: Schema.String })
  ]).annotate({
    description:
      "What shows that the router has it: its own word by BMP, that our octets were handed to the kernel, or nothing and why"
  })
}).annotate({ identifier: "BgpRoute" })
export type BgpRoute = typeof BgpRoute.Type

/** The most routes, or flapping things, that one answer has. */
export const bgpItemsMax = 10_000

/** Answer of `GET /v1/bgp/routes`. */
export const BgpRouteList = Schema.Struct({
  ...reading,
  ...reportsKept,
  items: Schema.Array(BgpRoute),
  leftOut: Schema.Int.annotate({ description: "Routes beyond the first 10000: narrow the question" }),
  unannounced: Schema.Array(
    Schema.Struct({
      cluster: Schema.String,
      node: Schema.String,
      network: Schema.String,
      address: Schema.String,
      why: Schema.String.annotate({ description: "The node's verdict, or that it is not known" })
    })
  ).annotate({ description: "Where a prefix was asked for: nodes that announce an address of it to nobody" }),
  // Neither a node says it, nor an allocator of the release before.
  withdrawing: Schema.optionalKey(
    Schema.Array(
      Schema.Struct({
        cluster: Schema.String,
        network: Schema.String,
        address: Schema.String,
        services: Schema.Array(Schema.String).annotate({ description: "Who had it" }),
        awaiting: Schema.Array(Schema.String).annotate({
          description: "Nodes that have yet to confirm that they withdrew it: their routers may still have it"
        })
      })
    ).annotate({
      description: "Where a prefix was asked for: addresses of it that are released, and not withdrawn by all"
    })
  )
})
export type BgpRouteList = typeof BgpRouteList.Type

const narrowing = {
  cluster: Schema.optionalKey(nameText("Only this cluster")),
  node: Schema.optionalKey(nameText("Only this node")),
  peer: Schema.optionalKey(nameText("Only sessions with this peer"))
}

/** Query of `GET /v1/bgp/peers`. */
export const bgpPeersQuery = { ...narrowing, at }

/** Query of `GET /v1/bgp/routes`. */
export const bgpRoutesQuery = { ...narrowing, prefix: Schema.optionalKey(AddressesText), at }

/** How often a session or an address went up and down at one node. */
export const BgpFlap = Schema.Struct({
  cluster: Schema.String,
  node: Schema.String,
  kind: Schema.Literals(["session", "vip"]),
  name: Schema.String.annotate({ description: "The peer of a session, or the address" }),
  ups: Schema.Int,
  downs: Schema.Int,
  firstAt: Instant,
  lastAt: Instant,
  last: Schema.Literals(["up", "down"]),
  reasons: Schema.Array(
    Schema.Struct({ code: Schema.NullOr(Schema.String), reason: Schema.String, count: Schema.Int })
  ).annotate({ description: "Why it went down, the most frequent first, at most five" })
}).annotate({ identifier: "BgpFlap" })
export type BgpFlap = typeof BgpFlap.Type

/** Answer of `GET /v1/bgp/flaps`. */
export const BgpFlapList = Schema.Struct({
  ...reading,
  since: Instant.annotate({ description: "From when on changes are counted: later than asked for where less is kept" }),
  until: Instant,
  items: Schema.Array(BgpFlap).annotate({ description: "What went down at all, the most often first" })
})
export type BgpFlapList = typeof BgpFlapList.Type

/** How far back flaps are counted unless asked otherwise, milliseconds. */
export const flapWindowMs = 3_600_000

/** Query of `GET /v1/bgp/flaps`; the window ends at `at`. */
export const bgpFlapsQuery = {
  ...narrowing,
  since: Schema.optionalKey(
    InstantText.annotate({ description: "RFC 3339, with offset; an hour before the end without" })
  ),
  at
}
