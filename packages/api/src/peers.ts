import { Schema } from "effect"
import { FindingView } from "./finding.ts"
import { NodeSync } from "./nodes.ts"
import { reading, reportsKept } from "./reading.ts"

/** One node's session with a peer, by the node's newest status. */
export const PeerSession = Schema.Struct({
  node: Schema.String,
  state: Schema.String.annotate({
    description:
      "RFC 4271 §8.2.2 state; Unknown when the node is silent or never spoke of it. At an earlier time: Established, Down or Unknown"
  }),
  since: Schema.NullOr(Schema.String).annotate({ description: "RFC 3339, the node's clock" }),
  prefixes: Schema.Int.annotate({ description: "Prefixes on the wire" }),
  bfd: Schema.optionalKey(Schema.String).annotate({
    description: "State of its BFD session, Unknown while BFD is not run with it; missing where none is wanted or known"
  }),
  lastError: Schema.NullOr(Schema.String),
  lastErrorCode: Schema.NullOr(Schema.String),
  sync: NodeSync
})
export type PeerSession = typeof PeerSession.Type

/** One BGP peer of one cluster. */
export const PeerView = Schema.Struct({
  cluster: Schema.String,
  name: Schema.String,
  state: Schema.Literals(["Accepted", "Refused"]).annotate({ description: "Refused: it is not in effect" }),
  peerAddress: Schema.String.annotate({ description: "The router's address, or the interface that it is on" }),
  peerPort: Schema.Int,
  peerAsn: Schema.Int,
  myAsn: Schema.Int,
  sessions: Schema.Array(PeerSession),
  findings: Schema.Array(FindingView).annotate({
    description: "Of the object itself, and of its sessions with the field session[NODE]"
  })
}).annotate({ identifier: "Peer" })
export type PeerView = typeof PeerView.Type

/** Answer of `GET /v1/peers`. */
export const PeerList = Schema.Struct({ ...reading, ...reportsKept, items: Schema.Array(PeerView) })
export type PeerList = typeof PeerList.Type
