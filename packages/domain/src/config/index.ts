/**
 * Configuration: from the text of manifests to what takes effect in one cluster, and everything that is wrong with it.
 *
 * `parseManifests` splits text into raw objects; `decodeObject` makes one of them a typed object or says all that is
 * wrong with it; `judge` looks across the objects of a cluster and leaves only what does not contradict itself. Each
 * step answers with findings beside its result and never lets one bad object hide another. Everything here is plain
 * data: JSON in and out, addresses as canonical text.
 *
 * Reads metallb.io IPAddressPool, BGPPeer, BGPAdvertisement, Community and BFDProfile; Service, Node, Namespace and
 * EndpointSlice; lowtide.dev Cluster. What is of the whole fleet, Reservation and Quota, is read by `decodeFleetObject`.
 */
export * from "./advertisement.ts"
export * from "./backend.ts"
export * from "./bfd-profile.ts"
export * from "./cluster-config.ts"
export * from "./cluster-object.ts"
export * from "./codes.ts"
export * from "./community-aliases.ts"
export * from "./decode.ts"
export * from "./endpoint-slice.ts"
export * from "./finding.ts"
export * from "./fleet-cluster.ts"
export * from "./fleet-object.ts"
export * from "./fleet-pool.ts"
export { compareAge, type Judgement, judge } from "./judge.ts"
export { coveredPools, differingPreferences, localPrefUnset } from "./judge-advertisements.ts"
export { type FaultyObject, isInDoubtOf, judgeFaulty } from "./judge-faulty.ts"
export * from "./manifest.ts"
export * from "./manifest-text.ts"
export * from "./namespace.ts"
export * from "./node.ts"
export * from "./peer.ts"
export * from "./pool.ts"
export * from "./raw.ts"
export type { Locate } from "./reader.ts"
export * from "./selectors.ts"
export * from "./service.ts"
export { parseName } from "./syntax.ts"
