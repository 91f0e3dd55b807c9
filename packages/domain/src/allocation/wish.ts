import { type Family, parseIpAddress } from "@lowtide/net"
import { Result } from "effect"
import { familyOf } from "../config/canonical.ts"
import { type Finding, requestAnnotation, type ServiceObject } from "../config/index.ts"
import type { Holder } from "../fleet/stream.ts"
import { refusal } from "./refusal.ts"

/** What a Service asks for, whichever of Kubernetes' and MetalLB's spellings it uses. */
export interface AddressWish {
  /** The families it wants, the primary one first. */
  readonly families: ReadonlyArray<Family>
  /** Whether fewer families than wanted are not acceptable (RequireDualStack). */
  readonly needsAll: boolean
  /** Addresses asked for by name, canonical; at most one a family. */
  readonly requested: ReadonlyArray<string>
  /** The only pool that will do, if it names one. */
  readonly pool: string | undefined
  readonly holder: Holder
}

/** The load balancer class that is served in a cluster that names none; Services without a class are served there as well. */
export const loadBalancerClass = "lowtide.dev/bgp"

/** The class that a cluster names as the one to be served. */
export interface ServedClass {
  readonly loadBalancerClass?: string | undefined
}

/** The field in which a Service asks for an address by name. */
export const requestField = ({ requestedAt }: ServiceObject): string => requestedAt ?? requestAnnotation

/** Whether Lowtide is to give this Service an address at all. A cluster that names a class has nothing else served. */
export const wantsAddress = (service: ServiceObject, { loadBalancerClass: served }: ServedClass): boolean =>
  service.type === "LoadBalancer" &&
  (served === undefined
    ? service.loadBalancerClass === undefined || service.loadBalancerClass === loadBalancerClass
    : service.loadBalancerClass === served)

/** Why a Service of type LoadBalancer is not served: a sentence without its end. */
export const classText = (service: ServiceObject, { loadBalancerClass: served }: ServedClass): string =>
  service.loadBalancerClass === undefined
    ? `it has no loadBalancerClass, and its cluster has ${served} served alone`
    : `loadBalancerClass ${service.loadBalancerClass} is another's`

/** The Service's wish, or why it cannot be understood. */
export const wishOf = (service: ServiceObject): Result.Result<AddressWish, Finding> => {
  const families = familiesOf(service)
  if (service.ipFamilyPolicy === "RequireDualStack" && families.length < 2) {
    return Result.fail(
      refusal(service, "LT0207", {
        field: "spec.clusterIPs",
        expected: "a cluster address of each IP version, since ipFamilyPolicy is RequireDualStack",
        found: service.clusterIPs.join(", ")
      })
    )
  }
  const foreign = service.requestedAddresses.find((address) => !families.includes(familyOf(address)))
  if (foreign !== undefined) {
    return Result.fail(
      refusal(service, "LT0207", {
        field: requestField(service),
        expected: `addresses of ${families.map((family) => `IPv${family}`).join(" and ")}, the Service's own IP families`,
        found: foreign
      })
    )
  }
  const asked = service.requestedAddresses.map(familyOf)
  const lacking = families.find((family) => !asked.includes(family))
  // Without cluster addresses PreferDualStack may come to be of one IP version, so that one address is enough.
  const isExact = service.ipFamilyPolicy === "RequireDualStack" || service.clusterIPs.length > 0
  if (asked.length > 0 && lacking !== undefined && isExact) {
    return Result.fail(
      refusal(service, "LT0207", {
        field: requestField(service),
        expected: `an address of each of the Service's own IP families, IPv${lacking} as well`,
        found: service.requestedAddresses.join(", ")
      })
    )
  }
  return Result.succeed({
    families,
    needsAll: service.ipFamilyPolicy === "RequireDualStack",
    requested: service.requestedAddresses,
    pool: service.annotations.addressPool,
    holder: holderOf(service)
  })
}

/** The Service as a holder, with all that decides what it may share. */
export const holderOf = (service: ServiceObject): Holder => ({
  namespace: service.namespace,
  name: service.name,
  uid: service.uid,
  sharingKey: service.annotations.allowSharedIp ?? "",
  ports: service.ports.map(({ protocol, port }) => `${protocol}/${port}`),
  backendKey: service.externalTrafficPolicy === "Local" ? `Local ${selectorText(service.selector)}` : ""
})

/** Cluster IPs decide where there are any, as an API server writes them; plain manifests say it by ipFamilies and policy. */
const familiesOf = (service: ServiceObject): ReadonlyArray<Family> => {
  const ofClusterIps = service.clusterIPs.flatMap((text) => {
    const address = Result.getOrUndefined(parseIpAddress(text))
    return address === undefined ? [] : [address.family]
  })
  if (ofClusterIps.length > 0) return [...new Set(ofClusterIps)]
  const named = service.ipFamilies.map((family): Family => (family === "IPv6" ? 6 : 4))
  const primary = named[0] ?? 4
  if (service.ipFamilyPolicy === "SingleStack") return [primary]
  return [primary, primary === 4 ? 6 : 4]
}

/** Equal texts for equal selectors. */
const selectorText = (selector: Readonly<Record<string, string>>): string =>
  Object.entries(selector)
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(",")
