import { Schema } from "effect"

/**
 * Where an intent stands in the one order of all intents: the event that caused it. An older stamp never wins over a
 * newer one.
 */
export const Stamp = Schema.Struct({
  /** Rises with each loss of history; orders before everything else. */
  incarnation: Schema.Int,
  /** Rises with each change of the leading allocator. */
  epoch: Schema.Int,
  /** The event's place in the log. */
  seq: Schema.Int
})
export type Stamp = typeof Stamp.Type

/** Negative when `left` is older. */
export const compareStamps = (left: Stamp, right: Stamp): number =>
  left.incarnation - right.incarnation || left.epoch - right.epoch || left.seq - right.seq

/** What every message of a cluster carries beside its own content. `cseq` counts a cluster's messages without gaps. */
const Numbered = { stamp: Stamp, cseq: Schema.Int, prevCseq: Schema.Int }

/** Why a message was sent: the event, who caused it and for what reason. */
export const Cause = Schema.Struct({
  seq: Schema.Int,
  type: Schema.String,
  reason: Schema.String,
  actor: Schema.String
})
export type Cause = typeof Cause.Type

/** How one covering Advertisement wants a VIP announced. */
export const AdvertisedRoute = Schema.Struct({
  advertisement: Schema.String,
  /** The host route, or the aggregate that holds it. */
  prefix: Schema.String,
  /** Peer names; a node announces to those of them that it has. */
  peers: Schema.Array(Schema.String),
  /** Node names, sorted. */
  nodes: Schema.Array(Schema.String),
  localPref: Schema.NullOr(Schema.Int),
  /** `64496:100`, or `64496:1:2` for a large community. */
  communities: Schema.Array(Schema.String),
  /** Those of the intent's Services that the Advertisement is for, as `namespace/name`; missing: all of them. */
  services: Schema.optionalKey(Schema.Array(Schema.String)),
  /** None unless written; to internal and external peers. */
  med: Schema.optionalKey(Schema.Int),
  /** How often the own AS is named once more: as the Advertisement asks for, and so that routers prefer another cluster that shares the address. */
  prepend: Schema.optionalKey(Schema.Int)
})
export type AdvertisedRoute = typeof AdvertisedRoute.Type

export const IntentService = Schema.Struct({
  namespace: Schema.String,
  name: Schema.String,
  uid: Schema.String,
  /** Local: only nodes with a serving endpoint of their own announce. Cluster: any serving endpoint will do. */
  trafficPolicy: Schema.Literals(["Local", "Cluster"])
})
export type IntentService = typeof IntentService.Type

/**
 * Who announces a VIP as an equal. Open: every eligible candidate. Listed: eligible nodes among `nodes`; the other
 * eligible candidates announce it as standby, a worse path that routers fall back to by themselves.
 */
export const Admission = Schema.Union([
  Schema.TaggedStruct("Open", { candidates: Schema.Array(Schema.String) }),
  Schema.TaggedStruct("Listed", { nodes: Schema.Array(Schema.String), candidates: Schema.Array(Schema.String) })
])
export type Admission = typeof Admission.Type

/** An order to withdraw, however much it is: see `services/speaker/src/brake.ts`. */
export const MassWithdraw = Schema.Struct({
  /** In the words of who ordered it. */
  reason: Schema.String,
  /** The seq of the event that ordered it. */
  cause: Schema.Int,
  /** The nodes that it is said to; missing: all of the cluster. */
  nodes: Schema.optionalKey(Schema.Array(Schema.String))
})
export type MassWithdraw = typeof MassWithdraw.Type

/** The centre's wish for one VIP in one cluster. `withdrawn` is its tombstone: a VIP leaves a node by nothing else. */
export const VipIntent = Schema.TaggedStruct("VipIntent", {
  ...Numbered,
  cluster: Schema.String,
  network: Schema.String,
  address: Schema.String,
  state: Schema.Literals(["announced", "withdrawn"]),
  services: Schema.Array(IntentService),
  admission: Admission,
  routes: Schema.Array(AdvertisedRoute),
  /** Nodes that may have announced it since its last confirmed withdrawal. */
  obliged: Schema.Array(Schema.String),
  /** Set on a commanded drain or deletion, and where nothing is lost; never where observations are missing. It releases a brake. */
  massWithdraw: Schema.optionalKey(MassWithdraw),
  cause: Cause
})
export type VipIntent = typeof VipIntent.Type

/** How a node runs BFD with a peer: a BFDProfile, as far as Lowtide's BFD has its settings. Intervals in milliseconds. */
export const PeerBfd = Schema.Struct({
  receiveIntervalMs: Schema.Int,
  transmitIntervalMs: Schema.Int,
  detectMultiplier: Schema.Int,
  /** Whether the peer has to begin. */
  passiveMode: Schema.Boolean,
  /** The least TTL of what the peer sends, where it is not on the node's link. */
  minimumTtl: Schema.Int
})
export type PeerBfd = typeof PeerBfd.Type

/** One BGP session as a node is to hold it. Times in seconds; a missing one is the protocol's default. */
export const NodePeer = Schema.Struct({
  name: Schema.String,
  /** Empty where `interface` is set. */
  peerAddress: Schema.String,
  /** The peer is the one router on this interface (unnumbered). */
  interface: Schema.optionalKey(Schema.String),
  peerPort: Schema.Int,
  /** 0 where `dynamicAsn` is set. */
  peerAsn: Schema.Int,
  /** The peer's AS is whatever it says, so long as it is ours or another. */
  dynamicAsn: Schema.optionalKey(Schema.Literals(["internal", "external"])),
  /** The AS that the peer is shown. */
  myAsn: Schema.Int,
  routerId: Schema.NullOr(Schema.String),
  sourceAddress: Schema.NullOr(Schema.String),
  holdTimeSeconds: Schema.Int,
  keepaliveTimeSeconds: Schema.NullOr(Schema.Int),
  connectTimeSeconds: Schema.NullOr(Schema.Int),
  /** The device of the VRF that the session runs in. */
  vrf: Schema.optionalKey(Schema.String),
  /** Whether an external peer is on the node's link. Missing in what was said before it could be: it may be anywhere. */
  hops: Schema.optionalKey(Schema.Literals(["one", "many"])),
  /** What has come further than so many hops is dropped, 1..254 (GTSM, RFC 5082). */
  ttlSecurityHops: Schema.optionalKey(Schema.Int),
  /** More prefixes at a time from the peer end the session. */
  maximumPrefixes: Schema.optionalKey(Schema.Int),
  /** What the node is to an external peer (RFC 9234), and whether the peer has to say what it is. */
  role: Schema.optionalKey(Schema.Literals(["provider", "customer", "peer", "route-server", "route-server-client"])),
  roleStrict: Schema.optionalKey(Schema.Literal(true)),
  /** What the node is only standby for is not announced to the peer at all; missing: it is, as a worse path. */
  standby: Schema.optionalKey(Schema.Literal("none")),
  /** The peer is asked to keep the node's routes while the session is lost (RFC 4724). */
  gracefulRestart: Schema.optionalKey(Schema.Literal(true)),
  /** The session ends when BFD loses the peer (RFC 5882); missing: no BFD is run with it. */
  bfd: Schema.optionalKey(PeerBfd),
  /** Where the node finds the password (TCP-MD5); the password itself is never sent. */
  password: Schema.optionalKey(
    Schema.Union([
      Schema.Struct({ from: Schema.Literal("peer") }),
      Schema.Struct({ from: Schema.Literal("secret"), namespace: Schema.String, name: Schema.String })
    ])
  )
})
export type NodePeer = typeof NodePeer.Type

/** Whether a session is inside our own AS: what is announced then has LOCAL_PREF and no AS path. */
export const isInternalPeer = ({ myAsn, peerAsn, dynamicAsn }: NodePeer): boolean =>
  dynamicAsn === undefined ? myAsn === peerAsn : dynamicAsn === "internal"

/** What one node is to be: its peers, and whether it may announce at all. */
export const NodeIntent = Schema.TaggedStruct("NodeIntent", {
  ...Numbered,
  cluster: Schema.String,
  node: Schema.String,
  peers: Schema.Array(NodePeer),
  /** Addresses of the node itself, from which next hops and the router id may be taken. */
  addresses: Schema.Array(Schema.String),
  /** Why the node may not announce; null when it may. */
  excluded: Schema.NullOr(Schema.Literals(["label", "network-unavailable"])),
  /** As in an intent of a VIP. */
  massWithdraw: Schema.optionalKey(MassWithdraw),
  cause: Cause
})
export type NodeIntent = typeof NodeIntent.Type

/** What a Service got, for its status. */
export const ServiceAnswer = Schema.TaggedStruct("ServiceAnswer", {
  ...Numbered,
  cluster: Schema.String,
  namespace: Schema.String,
  name: Schema.String,
  uid: Schema.String,
  addresses: Schema.Array(Schema.Struct({ address: Schema.String, pool: Schema.String })),
  /** The refusal in words, with its code; null when the Service has what it asks for. */
  refusal: Schema.NullOr(Schema.Struct({ code: Schema.String, message: Schema.String, fix: Schema.String })),
  cause: Cause
})
export type ServiceAnswer = typeof ServiceAnswer.Type

/** What the centre makes of a configuration object, or found wrong in another one, for its status. */
export const ObjectFindings = Schema.TaggedStruct("ObjectFindings", {
  ...Numbered,
  cluster: Schema.String,
  object: Schema.Struct({ kind: Schema.String, namespace: Schema.String, name: Schema.String }),
  findings: Schema.Array(
    Schema.Struct({
      code: Schema.String,
      severity: Schema.String,
      field: Schema.String,
      message: Schema.String,
      fix: Schema.String
    })
  ),
  /** Set when there is nothing left to say of it: no status is to stand for it. */
  gone: Schema.optionalKey(Schema.Literal(true)),
  cause: Cause
})
export type ObjectFindings = typeof ObjectFindings.Type

/** Last of each batch: what a cluster's whole set of messages amounts to. */
export const ClusterHead = Schema.TaggedStruct("ClusterHead", {
  stamp: Stamp,
  cseq: Schema.Int,
  cluster: Schema.String,
  /** XOR of SHA-256 over `subject NUL cseq` of every message in the set, hexadecimal. */
  digest: Schema.String,
  /** Messages in the set. */
  count: Schema.Int
})
export type ClusterHead = typeof ClusterHead.Type

/**
 * Everything that a cluster is told. A reader passes over fields that it does not know, and refuses a variant that it does
 * not know as a whole (LT0404), so that what it had stays in effect: the centre sends neither before the fleet is ready.
 */
/**
 * The centre has lost history, and asks everybody in the cluster what they remember. Said live and never stored; it changes
 * nothing that is held.
 */
export const RollCall = Schema.TaggedStruct("RollCall", {
  /** Of the incarnation that the loss began. */
  stamp: Stamp,
  cluster: Schema.String,
  /** When the log last wrote of this recovery: a database that is lost twice may begin the same incarnation twice. */
  begun: Schema.optionalKey(Schema.String),
  /** Who alone is asked, of nodes that were heard after the recovery; missing: everybody. */
  nodes: Schema.optionalKey(Schema.Array(Schema.String))
})
export type RollCall = typeof RollCall.Type

export const StateMessage = Schema.Union([VipIntent, NodeIntent, ServiceAnswer, ObjectFindings, ClusterHead, RollCall])
export type StateMessage = typeof StateMessage.Type

/** The messages that are numbered, which is all but the head and the roll call. */
export type NumberedMessage = Exclude<StateMessage, ClusterHead | RollCall>
