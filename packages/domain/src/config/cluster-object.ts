import type { Advertisement } from "./advertisement.ts"
import type { BfdProfile } from "./bfd-profile.ts"
import type { CommunityAliases } from "./community-aliases.ts"
import type { EndpointSliceObject } from "./endpoint-slice.ts"
import type { ObjectRef, Source } from "./finding.ts"
import type { FleetCluster } from "./fleet-cluster.ts"
import type { NamespaceObject } from "./namespace.ts"
import type { NodeObject } from "./node.ts"
import type { Peer } from "./peer.ts"
import type { AddressPool } from "./pool.ts"
import type { ServiceObject } from "./service.ts"

/** One object that was read without errors. `_tag` is the Kubernetes kind. */
export type ClusterObject =
  | Read<"IPAddressPool", AddressPool>
  | Read<"BGPPeer", Peer>
  | Read<"BGPAdvertisement", Advertisement>
  | Read<"Community", CommunityAliases>
  | Read<"BFDProfile", BfdProfile>
  | Read<"Service", ServiceObject>
  | Read<"Node", NodeObject>
  | Read<"Namespace", NamespaceObject>
  | Read<"EndpointSlice", EndpointSliceObject>
  | Read<"Cluster", FleetCluster>

interface Read<Kind extends string, Value> {
  readonly _tag: Kind
  readonly value: Value
  /** RFC 3339; decides which of two that contradict each other is older. */
  readonly createdAt?: string
  readonly source?: Source
}

/** The kinds that are read; every other kind is left alone. */
export type Kind = ClusterObject["_tag"]

/** How findings name the object. */
export const refOf = (object: ClusterObject): ObjectRef =>
  "namespace" in object.value
    ? { kind: object._tag, namespace: object.value.namespace, name: object.value.name }
    : { kind: object._tag, name: object.value.name }

/** `kind/namespace/name`, one per object of a cluster; the namespace is empty for kinds without. */
export const objectKey = (ref: ObjectRef): string => `${ref.kind}/${ref.namespace ?? ""}/${ref.name}`
