import { Result } from "effect"
import { readAdvertisement } from "./advertisement.ts"
import { readBfdProfile } from "./bfd-profile.ts"
import type { ClusterObject, Kind } from "./cluster-object.ts"
import { readCommunityAliases } from "./community-aliases.ts"
import { readEndpointSlice } from "./endpoint-slice.ts"
import { type Finding, finding, hasError, type ObjectRef } from "./finding.ts"
import { readFleetCluster } from "./fleet-cluster.ts"
import { isFleetObject } from "./fleet-object.ts"
import { readNamespace } from "./namespace.ts"
import { readNode } from "./node.ts"
import { readPeer } from "./peer.ts"
import { readPool } from "./pool.ts"
import type { RawObject } from "./raw.ts"
import { isRecord, type Locate, ObjectReader } from "./reader.ts"
import { readService } from "./service.ts"
import { nameSyntax, parseName } from "./syntax.ts"

/** What came of one object. */
export interface Decoded {
  /** Absent when one of the findings is an error, or when the kind is not read. */
  readonly object?: ClusterObject
  /** Where one of the findings is an error: what could be read, with nothing in the place of what could not. For `judgeFaulty` alone. */
  readonly faulty?: ClusterObject
  /** All faults of the object at once. */
  readonly findings: ReadonlyArray<Finding>
}

/** What identifies a kind, and how it is read. */
interface KindEntry<Value> {
  readonly group: string
  readonly versions: ReadonlyArray<string>
  readonly hasNamespace: boolean
  readonly read: (reader: ObjectReader, raw: RawObject) => Value
}

type ValueOf<Name extends Kind> = Extract<ClusterObject, { readonly _tag: Name }>["value"]

const metallb = (versions: ReadonlyArray<string>) => ({ group: "metallb.io", versions, hasNamespace: true })
const core = (hasNamespace: boolean) => ({ group: "", versions: ["v1"], hasNamespace })

/** Every kind that is read. */
const kinds: { readonly [Name in Kind]: KindEntry<ValueOf<Name>> } = {
  IPAddressPool: { ...metallb(["v1beta1"]), read: readPool },
  BGPPeer: { ...metallb(["v1beta2", "v1beta1"]), read: readPeer },
  BGPAdvertisement: { ...metallb(["v1beta1"]), read: readAdvertisement },
  Community: { ...metallb(["v1beta1"]), read: readCommunityAliases },
  BFDProfile: { ...metallb(["v1beta1"]), read: readBfdProfile },
  Service: { ...core(true), read: readService },
  Node: { ...core(false), read: readNode },
  Namespace: { ...core(false), read: readNamespace },
  EndpointSlice: { group: "discovery.k8s.io", versions: ["v1"], hasNamespace: true, read: readEndpointSlice },
  Cluster: { group: "lowtide.dev", versions: ["v1alpha1"], hasNamespace: false, read: readFleetCluster }
}

/** The kinds that are read of a cluster. */
export const readKinds: ReadonlyArray<string> = Object.keys(kinds)

/**
 * Reads one object of any kind. A kind that is not read answers nothing, without a finding: folders hold other things.
 * `locate` tells where a field stands, for the findings' source.
 */
export const decodeObject = (raw: RawObject, locate?: Locate): Decoded => {
  const known = kindOf(raw)
  if (known === undefined) return { findings: [] }
  const { kind, entry } = known
  const reader = new ObjectReader(rawRef(raw), locate)
  if (!entry.versions.includes(splitApiVersion(raw.apiVersion).version)) {
    const expected = entry.versions.map((version) => joinApiVersion(entry.group, version)).join(" or ")
    reader.report("LT0103", "apiVersion", expected, raw.apiVersion)
    return { findings: reader.findings }
  }
  const namespace = entry.hasNamespace ? raw.namespace || "default" : ""
  for (const [field, text] of [["metadata.name", raw.name] as const, ["metadata.namespace", namespace] as const]) {
    if (text !== "" && Result.isFailure(parseName(text))) {
      reader.report("LT0141", field, nameSyntax.expected, JSON.stringify(text))
    }
  }
  const value = entry.read(reader, { ...raw, namespace })
  const object = {
    _tag: kind,
    value,
    ...(raw.creationTimestamp === undefined ? {} : { createdAt: raw.creationTimestamp }),
    ...(locate === undefined ? {} : { source: locate("") })
  } as ClusterObject // `kinds` ties each kind to the type of its value
  const { findings } = reader
  if (!hasError(findings)) return { object, findings }
  return isRecord(raw.spec) ? { faulty: object, findings } : { findings }
}

/** How findings name an object, and the folder keys it: with its namespace for the kinds that have one. */
export const rawRef = (raw: RawObject): ObjectRef => {
  const namespaced = kindOf(raw)?.entry.hasNamespace ?? raw.namespace !== ""
  return namespaced
    ? { kind: raw.kind, namespace: raw.namespace || "default", name: raw.name }
    : { kind: raw.kind, name: raw.name }
}

/** Whether objects of this apiVersion's group and kind are read, in whatever version. */
export const isKindRead = (object: Pick<RawObject, "apiVersion" | "kind">): boolean => kindOf(object) !== undefined

/** Kinds of these groups are ours to read; what others write there about their own state is none of our business. */
const ownGroups: ReadonlySet<string> = new Set(["metallb.io", "lowtide.dev"])
const othersStatus: ReadonlySet<string> = new Set([
  "ServiceBGPStatus",
  "ServiceL2Status",
  "ConfigurationState",
  "MetalLB"
])

/** What is to be said of an object of a group that is read, but of no kind that is. */
export const unreadKind = (raw: RawObject, locate?: Locate): Finding | undefined => {
  const { group } = splitApiVersion(raw.apiVersion)
  if (!ownGroups.has(group) || othersStatus.has(raw.kind) || isKindRead(raw)) return undefined
  const known = Object.entries(kinds).flatMap(([kind, entry]) => (entry.group === group ? [kind] : []))
  const near = known.find((kind) => kind.toLowerCase() === raw.kind.toLowerCase())
  const fix = isFleetObject(raw) ? fleetFix : near !== undefined ? `Write ${near}` : ownFixes.get(raw.kind)
  return finding("LT0153", {
    object: rawRef(raw),
    field: "kind",
    expected: `one of ${known.sort().join(", ")}`,
    found: raw.kind,
    ...(fix === undefined ? {} : { fix }),
    source: locate?.("kind")
  })
}

const fleetFix = "Give it to the allocator by `lowtide apply -f`: it is of the whole fleet"

const ownFixes: ReadonlyMap<string, string> = new Map([
  ["L2Advertisement", "Announce the pools by a BGPAdvertisement: Lowtide announces by BGP alone"],
  ["AddressPool", "Write an IPAddressPool, and a BGPAdvertisement for what stood under bgpAdvertisements"]
])

const kindOf = (
  object: Pick<RawObject, "apiVersion" | "kind">
): { readonly kind: Kind; readonly entry: KindEntry<ClusterObject["value"]> } | undefined => {
  if (!Object.hasOwn(kinds, object.kind)) return undefined
  const kind = object.kind as Kind
  const entry = kinds[kind]
  return entry.group === splitApiVersion(object.apiVersion).group ? { kind, entry } : undefined
}

const splitApiVersion = (text: string): { readonly group: string; readonly version: string } => {
  const slash = text.indexOf("/")
  return slash < 0 ? { group: "", version: text } : { group: text.slice(0, slash), version: text.slice(slash + 1) }
}

const joinApiVersion = (group: string, version: string): string => (group === "" ? version : `${group}/${version}`)
