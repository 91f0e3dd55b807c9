import { Schema } from "effect"
import { eventTypes } from "./event.ts"
import { Finding, Labels, NamespaceObject, NodeObject, ObjectRef, RawObject, ServiceObject } from "./object-schema.ts"
import { type FirstShape, type LaterShape, makeStored } from "./stored.ts"
import type { StreamState } from "./stream.ts"

const Text = Schema.String
const Texts = Schema.Array(Text)
const Count = Schema.Int.pipe(Schema.check(Schema.isGreaterThanOrEqualTo(0)))
const Yes = Schema.Literal(true)

const Vip = Schema.TaggedStruct("Vip", {
  member: Schema.optionalKey(Yes),
  network: Text,
  address: Text,
  pool: Text,
  cluster: Text,
  phase: Schema.Literals(["assigned", "withdrawing", "quarantined", "free"]),
  holders: Schema.Array(
    Schema.Struct({
      namespace: Text,
      name: Text,
      uid: Text,
      sharingKey: Text,
      ports: Texts,
      backendKey: Text,
      adopted: Schema.optionalKey(Yes),
      leaving: Schema.optionalKey(Yes)
    })
  ),
  lastHolders: Texts,
  obliged: Texts,
  quarantineMs: Schema.optionalKey(Schema.Finite),
  quarantineEndMs: Schema.NullOr(Schema.Finite),
  releasedAtMs: Schema.optionalKey(Schema.Finite),
  heldRelease: Schema.optionalKey(Schema.Struct({ order: Text, service: Schema.optionalKey(ServiceObject) }))
})

const Service = Schema.TaggedStruct("Service", {
  cluster: Text,
  service: ServiceObject,
  servingNodes: Texts,
  refusal: Schema.NullOr(Finding)
})

const Node = Schema.TaggedStruct("Node", {
  cluster: Text,
  node: NodeObject,
  present: Schema.Boolean,
  retired: Schema.optionalKey(Yes)
})

const Namespace = Schema.TaggedStruct("Namespace", { cluster: Text, namespace: NamespaceObject })

const Unjudged = Schema.optionalKey(Schema.Unknown)

const Raw = Schema.Struct({ ...RawObject.fields, status: Unjudged, endpoints: Unjudged })

const Manifest = Schema.TaggedStruct("Manifest", {
  cluster: Text,
  manifest: Raw,
  ordinal: Count,
  retired: Schema.optionalKey(Yes)
})

const Findings = Schema.TaggedStruct("Findings", {
  cluster: Text,
  object: ObjectRef,
  findings: Schema.Array(Finding),
  reportedCount: Count,
  refused: Schema.optionalKey(Raw),
  held: Schema.optionalKey(Raw)
})

const Cluster = Schema.TaggedStruct("Cluster", {
  cluster: Text,
  network: Text,
  labels: Schema.optionalKey(Labels),
  allowedPrefixes: Schema.optionalKey(Texts),
  loadBalancerClass: Schema.optionalKey(Text),
  incarnation: Schema.optionalKey(Count)
})

const Recovery = Schema.TaggedStruct("Recovery", {
  incarnation: Count,
  phase: Schema.Literals(["recovering", "recovered"]),
  why: Text,
  lostAfter: Schema.Struct({ incarnation: Count, seq: Count }),
  without: Texts,
  adoptedCount: Count
})

const Reservation = Schema.TaggedStruct("Reservation", {
  cluster: Text,
  name: Text,
  network: Text,
  address: Text,
  pool: Text,
  namespace: Text,
  service: Text
})

const Quota = Schema.TaggedStruct("Quota", {
  cluster: Text,
  quota: Schema.Struct({
    name: Text,
    cluster: Schema.NullOr(Text),
    namespace: Schema.NullOr(Text),
    addresses: Count
  })
})

const Selector = Schema.Struct({
  matchLabels: Labels,
  matchExpressions: Schema.Array(
    Schema.Struct({
      key: Text,
      operator: Schema.Literals(["In", "NotIn", "Exists", "DoesNotExist"]),
      values: Texts
    })
  )
})

const AddressPool = Schema.TaggedStruct("AddressPool", {
  cluster: Schema.Literal(""),
  pool: Schema.Struct({
    name: Text,
    network: Text,
    clusterSelector: Selector,
    deletionPolicy: Schema.Literals(["Retain", "Retire"]),
    pool: Schema.Struct({
      name: Text,
      namespace: Text,
      ranges: Texts,
      autoAssign: Schema.Boolean,
      avoidBuggyIPs: Schema.Boolean,
      pinned: Schema.optionalKey(Yes),
      priority: Schema.optionalKey(Count),
      namespaces: Texts,
      namespaceSelectors: Schema.Array(Selector),
      serviceSelectors: Schema.Array(Selector),
      labels: Labels,
      quarantineMs: Schema.optionalKey(Count),
      ofFleet: Schema.optionalKey(Yes),
      retired: Schema.optionalKey(Yes)
    })
  }),
  retired: Schema.optionalKey(Yes)
})

const SharedAddress = Schema.TaggedStruct("SharedAddress", {
  cluster: Schema.Literal(""),
  shared: Schema.Struct({
    name: Text,
    network: Text,
    addresses: Texts,
    members: Schema.Array(Schema.Struct({ cluster: Text, namespace: Text, name: Text, priority: Count }))
  })
})

const Export = Schema.TaggedStruct("Export", {
  filter: Schema.Record(Text, Text),
  format: Schema.Literals(["ndjson", "csv"]),
  sinceSeq: Count,
  untilSeq: Count,
  count: Schema.NullOr(Count)
})

const WireSeal = Schema.TaggedStruct("WireSeal", {
  sinceId: Count,
  untilId: Count,
  count: Count,
  root: Text,
  until: Text
})

const FleetVersion = Schema.TaggedStruct("FleetVersion", { version: Count })
const Brake = Schema.TaggedStruct("Brake", { cluster: Text, node: Schema.NullOr(Text) })
const WireDrop = Schema.TaggedStruct("WireDrop", { untilId: Count, before: Text })

const Segment = Schema.TaggedStruct("Segment", {
  fromSeq: Count,
  toSeq: Count,
  phase: Schema.Literals(["archived", "dropped", "restored"]),
  firstAt: Text,
  lastAt: Text,
  root: Text,
  leavesDigest: Text,
  file: Text,
  sha256: Text
})

const Share = { maxWithdrawPercent: Schema.Finite, maxWithdrawRoutes: Count }

const FleetSettings = Schema.TaggedStruct("FleetSettings", {
  name: Text,
  blastRadius: Schema.Struct({
    ...Share,
    perMs: Count,
    cluster: Schema.Struct(Share),
    clusters: Schema.optionalKey(Schema.Record(Text, Schema.Struct(Share)))
  })
})

const Approval = Schema.TaggedStruct("Approval", {
  id: Text,
  cluster: Text,
  author: Text,
  phase: Schema.Literals(["pending", "approved", "rejected"]),
  sinceMs: Schema.Finite,
  count: Count
})

const Kept = Schema.TaggedStruct("Kept", {
  cluster: Text,
  order: Text,
  version: Schema.Union([Manifest, AddressPool])
})

const RoutesTaken = Schema.TaggedStruct("RoutesTaken", {
  cluster: Text,
  taken: Schema.Array(Schema.Struct({ atMs: Schema.Finite, addresses: Count }))
})

/** The newest version's schema of a state says what the state's type says. */
type ShapeOf<State> =
  | readonly [{ readonly schema: Schema.Codec<State> }]
  | readonly [FirstShape, ...ReadonlyArray<LaterShape>, LaterShape & { readonly schema: Schema.Codec<State> }]

/** Every version of every state there ever was. A golden file each is in `test/golden/events`. */
export const stateShapes = {
  Vip: [{ schema: Vip }],
  Service: [{ schema: Service }],
  Node: [{ schema: Node }],
  Namespace: [{ schema: Namespace }],
  Manifest: [{ schema: Manifest }],
  Findings: [{ schema: Findings }],
  Cluster: [{ schema: Cluster }],
  Recovery: [{ schema: Recovery }],
  Reservation: [{ schema: Reservation }],
  Quota: [{ schema: Quota }],
  AddressPool: [{ schema: AddressPool }],
  SharedAddress: [{ schema: SharedAddress }],
  Export: [{ schema: Export }],
  WireSeal: [{ schema: WireSeal }],
  FleetVersion: [{ schema: FleetVersion }],
  Brake: [{ schema: Brake }],
  WireDrop: [{ schema: WireDrop }],
  Segment: [{ schema: Segment }],
  FleetSettings: [{ schema: FleetSettings }],
  Approval: [{ schema: Approval }],
  Kept: [{ schema: Kept }],
  RoutesTaken: [{ schema: RoutesTaken }]
} as const satisfies { readonly [Tag in StreamState["_tag"]]: ShapeOf<Extract<StreamState, { readonly _tag: Tag }>> }

/** With every optional field. */
type Whole<Value> = Value extends object ? { readonly [Key in keyof Value]-?: Whole<Value[Key]> } : Value

type Newest<Shape> = Shape extends readonly [...ReadonlyArray<unknown>, { readonly schema: Schema.Codec<infer State> }]
  ? State
  : never

/** States of which the newest schema lacks a field that the type has. */
type Lacking = {
  [Tag in StreamState["_tag"]]: Whole<Newest<(typeof stateShapes)[Tag]>> extends Whole<
    Extract<StreamState, { readonly _tag: Tag }>
  >
    ? never
    : Tag
}[StreamState["_tag"]]

true satisfies [Lacking] extends [never] ? true : Lacking

/** How the log's events and states are read and written. */
export const { readEvent, readState, writeEvent, writeState, isKnown, isNewest } = makeStored<StreamState>(
  eventTypes,
  stateShapes
)
