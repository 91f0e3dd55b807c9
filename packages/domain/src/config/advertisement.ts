import type { RawObject } from "./raw.ts"
import { type Fields, type ObjectReader, parseAt } from "./reader.ts"
import { readSelectors } from "./selector-reader.ts"
import type { LabelSelector } from "./selectors.ts"
import { canonicalCommunity, communitySyntax } from "./syntax.ts"

/** A BGPAdvertisement: how addresses of the chosen pools are announced, by which nodes, to which peers. */
export interface Advertisement {
  readonly name: string
  readonly namespace: string
  /** 1..32 bits; 32 announces host routes. */
  readonly aggregationLength: number
  /** 1..128 bits. */
  readonly aggregationLengthV6: number
  /** 1..4294967295; sent to internal peers only. */
  readonly localPref?: number
  /** 0..4294967295; routers count none as 0, which they prefer. */
  readonly med?: number
  /** 1..10: how often the own AS is named once more, to external peers only. */
  readonly asPathPrepend?: number
  /**
   * As decoded: texts as written, a literal community or an alias. In a judged ClusterConfig: canonical literals only,
   * sorted, without duplicates.
   */
  readonly communities: ReadonlyArray<string>
  /** Pool names; a union with `poolSelectors`. Both empty: every pool of the cluster. */
  readonly pools: ReadonlyArray<string>
  /** Selectors over the labels of pools. */
  readonly poolSelectors: ReadonlyArray<LabelSelector>
  /** Empty: every node. */
  readonly nodeSelectors: ReadonlyArray<LabelSelector>
  /** Peer names. Empty: every peer. */
  readonly peers: ReadonlyArray<string>
  /** Selectors over the labels of Services. Empty: every Service. */
  readonly serviceSelectors: ReadonlyArray<LabelSelector>
}

/** The annotations of a BGPAdvertisement: settings for which MetalLB has no field. */
export const advertisementAnnotations = {
  med: "lowtide.dev/med",
  asPathPrepend: "lowtide.dev/as-path-prepend"
} as const

/** Reads a BGPAdvertisement of metallb.io/v1beta1. Aliases of communities are left for `judge`. */
export const readAdvertisement = (reader: ObjectReader, raw: RawObject): Advertisement => {
  const spec = reader.fields("spec", raw.spec)
  const localPref = readLocalPref(spec)
  const advertisement: Advertisement = {
    name: raw.name,
    namespace: raw.namespace,
    aggregationLength: spec.integer("aggregationLength", { min: 1, max: 32 }) ?? 32,
    aggregationLengthV6: spec.integer("aggregationLengthV6", { min: 1, max: 128 }) ?? 128,
    ...(localPref === undefined ? {} : { localPref }),
    ...readAnnotations(reader, raw),
    communities: readCommunities(spec),
    pools: spec.strings("ipAddressPools"),
    poolSelectors: readSelectors(spec, "ipAddressPoolSelectors"),
    nodeSelectors: readSelectors(spec, "nodeSelectors"),
    peers: spec.strings("peers"),
    serviceSelectors: readSelectors(spec, "serviceSelectors")
  }
  const aggregates = advertisement.aggregationLength < 32 || advertisement.aggregationLengthV6 < 128
  if (aggregates && advertisement.serviceSelectors.length > 0) {
    const found = `/${advertisement.aggregationLength} and /${advertisement.aggregationLengthV6}`
    reader.report("LT0118", spec.at("serviceSelectors"), "none, or host routes (/32 and /128)", found)
  }
  spec.reportUnknown()
  return advertisement
}

/** 0 is none, as for MetalLB, whose field has no other way to say so. */
const readLocalPref = (spec: Fields): number | undefined => {
  const localPref = spec.integer("localPref", { min: 0, max: 0xffff_ffff })
  if (localPref !== 0) return localPref
  spec.reader.report("LT0146", spec.at("localPref"), "1..4294967295, or none", "0, which counts as none")
  return undefined
}

const readAnnotations = (reader: ObjectReader, raw: RawObject): Pick<Advertisement, "med" | "asPathPrepend"> => {
  const names = advertisementAnnotations
  const annotations = reader.fields("metadata", { annotations: raw.annotations }).nested("annotations")
  const med = annotations.integerText(names.med, { min: 0, max: 0xffff_ffff })
  const asPathPrepend = annotations.integerText(names.asPathPrepend, { min: 1, max: 10 })
  annotations.reportUnknownOf({ prefixes: ["lowtide.dev/"], known: Object.values(names) })
  return {
    ...(med === undefined ? {} : { med }),
    ...(asPathPrepend === undefined ? {} : { asPathPrepend })
  }
}

/** As large communities they take 1,200 octets: three Advertisements of one prefix fit a message of 4,096 together. */
export const communitiesMax = 100

/** What has a colon must be a community; anything else may be an alias. */
const readCommunities = (spec: Fields): ReadonlyArray<string> => {
  const texts = spec.strings("communities")
  if (texts.length > communitiesMax) {
    spec.reader.report("LT0145", spec.at("communities"), `at most ${communitiesMax} communities`, `${texts.length}`)
    return []
  }
  const seen = new Map<string, string>()
  for (const { path, value } of spec.items("communities")) {
    if (typeof value !== "string" || !value.includes(":")) continue
    const community = parseAt(spec.reader, path, value, communitySyntax, canonicalCommunity)
    if (community === undefined) continue
    const other = seen.get(community)
    // The same text twice was told of already.
    if (other !== undefined && other !== value) {
      spec.reader.report("LT0114", path, "each community once", `${value}, which is ${other} again`)
    }
    seen.set(community, value)
  }
  return texts
}
