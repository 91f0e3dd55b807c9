import type { Labels } from "./selectors.ts"

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
  /** In the order of preference; never empty: ["IPv4"] unless written or implied by `clusterIPs`. */
  readonly ipFamilies: ReadonlyArray<"IPv4" | "IPv6">
  readonly ipFamilyPolicy: "SingleStack" | "PreferDualStack" | "RequireDualStack"
  /** Canonical texts; empty when headless or not yet given. */
  readonly clusterIPs: ReadonlyArray<string>
  readonly externalTrafficPolicy: "Cluster" | "Local"
  readonly ports: ReadonlyArray<ServicePort>
  readonly selector: Labels
}

/** The annotations that have a meaning, by the name that follows `metallb.io/`. */
export interface ServiceAnnotations {
  /** The pool asked for. */
  readonly addressPool?: string
  /** The sharing key. */
  readonly allowSharedIp?: string
}
