import { Result } from "effect"
import { familyOf } from "./canonical.ts"
import type { RawObject } from "./raw.ts"
import { type Fields, isRecord, type ObjectReader, parseAt, show } from "./reader.ts"
import type { Labels } from "./selectors.ts"
import { addressSyntax, canonicalAddress } from "./syntax.ts"
import { derivedUid } from "./uid.ts"

/** One port of a Service; two Services that share an address must not have the same protocol and port. */
export interface ServicePort {
  readonly protocol: "TCP" | "UDP" | "SCTP"
  /** 1..65535 */
  readonly port: number
  /** Empty when the Service has one port without a name. */
  readonly name: string
}

/** What Lowtide reads of a Service, of any type: one that stops being a LoadBalancer gives its address back. */
export interface ServiceObject {
  readonly namespace: string
  readonly name: string
  /** `metadata.uid`, or for a manifest without one a uuid derived from namespace and name (RFC 9562 version 8). */
  readonly uid: string
  readonly labels: Labels
  /** What the annotations ask for, under the newer prefix; every other annotation is left out. */
  readonly annotations: ServiceAnnotations
  readonly type: "ClusterIP" | "NodePort" | "LoadBalancer" | "ExternalName"
  readonly loadBalancerClass?: string
  /** Canonical addresses asked for, by annotation or by spec.loadBalancerIP; at most one a family. */
  readonly requestedAddresses: ReadonlyArray<string>
  /** The field that asks for them, unless it is `requestAnnotation`. */
  readonly requestedAt?: string
  /** In the order of preference; never empty: ["IPv4"] unless written or implied by `clusterIPs`. */
  readonly ipFamilies: ReadonlyArray<"IPv4" | "IPv6">
  readonly ipFamilyPolicy: "SingleStack" | "PreferDualStack" | "RequireDualStack"
  /** Canonical texts; empty when headless or not yet given. */
  readonly clusterIPs: ReadonlyArray<string>
  readonly externalTrafficPolicy: "Cluster" | "Local"
  readonly ports: ReadonlyArray<ServicePort>
  readonly selector: Labels
  /** Its deletion waits for finalizers: it keeps what it has, and gets nothing new. */
  readonly deleting?: true
}

/** The annotations that have a meaning, by the name that follows `metallb.io/`. */
export interface ServiceAnnotations {
  /** The pool asked for. */
  readonly addressPool?: string
  /** The sharing key. */
  readonly allowSharedIp?: string
}

/**
 * The addresses that the status of a Service lists (`status.loadBalancer.ingress[].ip`), canonical. It is what a controller
 * wrote and no wish of a person, so that what cannot be read of it is no fault.
 */
export const statusAddresses = ({ status }: RawObject): ReadonlyArray<string> => {
  const loadBalancer = isRecord(status) ? status.loadBalancer : undefined
  const ingress = isRecord(loadBalancer) ? loadBalancer.ingress : undefined
  if (!Array.isArray(ingress)) return []
  return ingress.flatMap((entry: unknown) => {
    const address = isRecord(entry) && typeof entry.ip === "string" ? canonicalAddress(entry.ip) : undefined
    return address !== undefined && Result.isSuccess(address) ? [address.success] : []
  })
}

type IpFamily = ServiceObject["ipFamilies"][number]

/** Reads a Service of v1. What it asks of a load balancer is read, and faulted, only when it is of that type. */
export const readService = (reader: ObjectReader, raw: RawObject): ServiceObject => {
  const spec = reader.fields("spec", raw.spec)
  const metadata = reader.fields("metadata", { labels: raw.labels, annotations: raw.annotations })
  const type = spec.oneOf("type", ["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"]) ?? "ClusterIP"
  const asks = type === "LoadBalancer"
  const annotations = asks ? readAnnotations(metadata) : { requested: [] }
  const loadBalancerClass = spec.string("loadBalancerClass")
  const clusterIPs = readClusterIps(spec)
  const isHeadless = spec.get("clusterIP") === "None" || spec.items("clusterIPs").some(({ value }) => value === "None")
  if (asks && isHeadless) {
    reader.report("LT0107", spec.at("clusterIP"), "a cluster address, or nothing, for type LoadBalancer", "None")
  }
  const ipFamilyPolicy =
    spec.oneOf("ipFamilyPolicy", ["SingleStack", "PreferDualStack", "RequireDualStack"]) ?? "SingleStack"
  return {
    namespace: raw.namespace,
    name: raw.name,
    uid: raw.uid ?? derivedUid(raw.namespace, raw.name),
    labels: metadata.texts("labels"),
    annotations: {
      ...(annotations.addressPool === undefined ? {} : { addressPool: annotations.addressPool }),
      ...(annotations.allowSharedIp === undefined ? {} : { allowSharedIp: annotations.allowSharedIp })
    },
    type,
    ...(loadBalancerClass === undefined ? {} : { loadBalancerClass }),
    ...(asks ? readRequested(spec, annotations.requested) : { requestedAddresses: [] }),
    ipFamilies: familiesOf(readFamilies(spec), ipFamilyPolicy, clusterIPs),
    ipFamilyPolicy,
    clusterIPs,
    externalTrafficPolicy: spec.oneOf("externalTrafficPolicy", ["Cluster", "Local"]) ?? "Cluster",
    ports: spec.mappings("ports").flatMap(readPort),
    selector: spec.texts("selector"),
    ...(raw.deletionTimestamp === undefined ? {} : { deleting: true })
  }
}

interface AskedByAnnotation extends ServiceAnnotations {
  readonly requested: ReadonlyArray<{ readonly path: string; readonly text: string }>
}

const newPrefix = "metallb.io/"
const oldPrefix = "metallb.universe.tf/"
const readPrefixes = [newPrefix, oldPrefix, "lowtide.dev/"]

/** Whether an annotation of a Service is one of those that are read, or are a fault by their name. */
export const isReadAnnotation = (name: string): boolean => readPrefixes.some((prefix) => name.startsWith(prefix))

/** The newer prefix wins over the deprecated one, which is warned of. */
const readAnnotations = (metadata: Fields): AskedByAnnotation => {
  const annotations = metadata.nested("annotations")
  const read = (name: string): { readonly path: string; readonly text: string } | undefined => {
    if (annotations.has(oldPrefix + name)) {
      const fix = `Write ${newPrefix}${name}`
      metadata.reader.report("LT0136", annotations.at(oldPrefix + name), newPrefix + name, oldPrefix + name, fix)
    }
    const key = annotations.has(newPrefix + name) ? newPrefix + name : oldPrefix + name
    const text = annotations.string(key)?.trim()
    return text === undefined || text === "" ? undefined : { path: annotations.at(key), text }
  }
  const addressPool = read("address-pool")?.text
  const allowSharedIp = read("allow-shared-ip")?.text
  const list = read("loadBalancerIPs")
  // A misspelt wish would be no wish, and the Service would get another address than the one asked for.
  annotations.reportUnknownOf({
    prefixes: readPrefixes,
    known: ["address-pool", "allow-shared-ip", "loadBalancerIPs"].map((name) => newPrefix + name),
    passed: [newPrefix, oldPrefix].map((prefix) => `${prefix}ip-allocated-from-pool`)
  })
  return {
    ...(addressPool === undefined ? {} : { addressPool }),
    ...(allowSharedIp === undefined ? {} : { allowSharedIp }),
    requested: list === undefined ? [] : list.text.split(",").map((text) => ({ path: list.path, text: text.trim() }))
  }
}

/** Where a Service asks for an address by name today. */
export const requestAnnotation = `metadata.annotations[${newPrefix}loadBalancerIPs]`

const readRequested = (
  spec: Fields,
  annotated: AskedByAnnotation["requested"]
): Pick<ServiceObject, "requestedAddresses" | "requestedAt"> => {
  const { reader } = spec
  const single = spec.string("loadBalancerIP")
  const path = spec.at("loadBalancerIP")
  if (single !== undefined && annotated.length > 0) {
    reader.report("LT0115", path, `spec.loadBalancerIP or the annotation ${newPrefix}loadBalancerIPs`, "both")
  }
  const asked = single === undefined ? annotated : [{ path, text: single }]
  const byFamily = new Map<number, string>()
  for (const { path, text } of asked) {
    const address = parseAt(reader, path, text, addressSyntax, canonicalAddress)
    if (address === undefined) continue
    const family = familyOf(address)
    const other = byFamily.get(family)
    if (other === undefined) byFamily.set(family, address)
    else reader.report("LT0119", path, "at most one address of each IP version", `${other} and ${address}`)
  }
  const requestedAddresses = [...byFamily.values()]
  const at = asked[0]?.path ?? requestAnnotation
  return { requestedAddresses, ...(at === requestAnnotation ? {} : { requestedAt: at }) }
}

const readFamilies = (spec: Fields): ReadonlyArray<IpFamily> =>
  spec.items("ipFamilies").flatMap(({ path, value }) => {
    if (value === "IPv4" || value === "IPv6") return [value]
    spec.reader.report("LT0107", path, "IPv4 or IPv6", show(value))
    return []
  })

/** `clusterIPs`, or the single `clusterIP` where that is all; `None` is no address. */
const readClusterIps = (spec: Fields): ReadonlyArray<string> => {
  const single = spec.string("clusterIP")
  const many = spec.strings("clusterIPs")
  const paths = many.length > 0 ? many.map((text, index) => ({ text, path: `${spec.at("clusterIPs")}[${index}]` })) : []
  const all = paths.length > 0 || single === undefined ? paths : [{ text: single, path: spec.at("clusterIP") }]
  return all.flatMap(({ text, path }) => {
    if (text === "None") return []
    const address = parseAt(spec.reader, path, text, addressSyntax, canonicalAddress)
    return address === undefined ? [] : [address]
  })
}

/**
 * The families as the API server would complete them: those of the cluster addresses where there are any, else those
 * written, IPv4 first, and both under a dual-stack policy.
 */
const familiesOf = (
  written: ReadonlyArray<IpFamily>,
  policy: ServiceObject["ipFamilyPolicy"],
  clusterIPs: ReadonlyArray<string>
): ReadonlyArray<IpFamily> => {
  if (clusterIPs.length > 0) {
    return [...new Set(clusterIPs.map((address): IpFamily => (familyOf(address) === 4 ? "IPv4" : "IPv6")))]
  }
  const first: IpFamily = written[0] ?? "IPv4"
  if (policy === "SingleStack") return written.length === 0 ? [first] : [...new Set(written)]
  return [first, first === "IPv4" ? "IPv6" : "IPv4"]
}

const readPort = (fields: Fields): ReadonlyArray<ServicePort> => {
  fields.require("port", "a port number")
  const port = fields.integer("port", { min: 1, max: 65535 })
  const protocol = fields.oneOf("protocol", ["TCP", "UDP", "SCTP"]) ?? "TCP"
  return port === undefined ? [] : [{ protocol, port, name: fields.string("name") ?? "" }]
}
