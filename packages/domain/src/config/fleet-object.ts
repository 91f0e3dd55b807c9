import { Result } from "effect"
import type { Finding } from "./finding.ts"
import { defaultNetwork } from "./fleet-cluster.ts"
import { type FleetPool, readFleetPool } from "./fleet-pool.ts"
import type { RawObject } from "./raw.ts"
import { type Fields, ObjectReader, parseAt, show } from "./reader.ts"
import {
  addressSyntax,
  canonicalAddress,
  durationSyntax,
  nameSyntax,
  parseDurationSeconds,
  parseName
} from "./syntax.ts"

/** An object that is of the whole fleet rather than of one cluster: people apply it over the API. */
export type FleetObject =
  | Reservation
  | Quota
  | FleetSettings
  | ({ readonly _tag: "SharedAddress" } & SharedAddress)
  | ({ readonly _tag: "AddressPool" } & FleetPool)

/** The kinds of the fleet's own objects. */
export type FleetKind = FleetObject["_tag"]

/** An address kept for a Service by its name, whether the Service exists or not. */
export interface Reservation {
  readonly _tag: "Reservation"
  readonly name: string
  readonly cluster: string
  readonly namespace: string
  readonly service: string
  /** This very address; without it, the lowest that `pool` has. */
  readonly address: string | undefined
  readonly pool: string | undefined
  /** Of an address that the pool is to choose. */
  readonly ipFamily: "IPv4" | "IPv6" | undefined
}

/** How many addresses the Services of a cluster, or of one namespace of it, may have. */
export interface Quota {
  readonly _tag: "Quota"
  readonly name: string
  /** Absent: every cluster, each counted by itself. */
  readonly cluster: string | undefined
  /** Absent: the whole cluster. */
  readonly namespace: string | undefined
  readonly addresses: number
}

/** One address that several clusters announce on purpose: nobody but these Services has it. */
export interface SharedAddress {
  readonly name: string
  readonly network: string
  /** Canonical; at most one of each IP version. */
  readonly addresses: ReadonlyArray<string>
  /** One a cluster. */
  readonly members: ReadonlyArray<SharedMember>
}

/** A Service that has the address in its cluster. */
export interface SharedMember {
  readonly cluster: string
  readonly namespace: string
  readonly name: string
  /** The lowest is preferred by routers; equals are equal-cost paths. */
  readonly priority: number
}

/** Distinct priorities: each is a longer AS path than the one before, and routers limit that. */
export const prioritiesMax = 4

/** The most addresses that a quota may allow: what a JSON number counts exactly. */
const addressesMax = Number.MAX_SAFE_INTEGER

/** What holds for the fleet as a whole: kind Fleet. What is left out is as it is without the object. */
export interface FleetSettings {
  readonly _tag: "Fleet"
  readonly name: string
  readonly maxWithdrawPercent: number | undefined
  readonly maxWithdrawRoutes: number | undefined
  readonly perSeconds: number | undefined
  readonly cluster: ShareLimits
  /** Of clusters by their names, in place of that. */
  readonly clusters: Readonly<Record<string, ShareLimits>>
}

interface ShareLimits {
  readonly maxWithdrawPercent: number | undefined
  readonly maxWithdrawRoutes: number | undefined
}

/** A budget's period may be as long as a week: nobody remembers what was withdrawn before. */
export const budgetPeriodSecondsMax = 604_800

const readShare = (fields: Fields): ShareLimits => ({
  maxWithdrawPercent: fields.integer("maxWithdrawPercent", { min: 0, max: 100 }),
  maxWithdrawRoutes: fields.integer("maxWithdrawRoutes", { min: 0, max: addressesMax })
})

/** The shares of clusters that are named, each once. */
const readShares = (radius: Fields): Readonly<Record<string, ShareLimits>> => {
  const shares = new Map<string, ShareLimits>()
  for (const fields of radius.mappings("clusters")) {
    fields.require("cluster", "the name of a cluster")
    const cluster = fields.parsed("cluster", nameSyntax, parseName)
    if (cluster !== undefined && shares.has(cluster)) {
      fields.reader.report("LT0114", fields.at("cluster"), "each cluster once", `${cluster} again`)
    }
    if (!fields.has("maxWithdrawPercent") && !fields.has("maxWithdrawRoutes")) {
      fields.reader.report("LT0106", fields.path, "maxWithdrawPercent, maxWithdrawRoutes or both", "neither")
    }
    if (cluster !== undefined) shares.set(cluster, readShare(fields))
    fields.reportUnknown()
  }
  return Object.fromEntries(shares)
}

/** The apiVersion of the fleet's own objects. */
export const fleetApiVersion = "lowtide.dev/v1alpha1"

const readers: {
  readonly [Kind in FleetKind]: (raw: RawObject, spec: Fields) => Extract<FleetObject, { _tag: Kind }>
} = {
  Reservation: (raw, spec) => {
    spec.require("for", "the cluster, namespace and name of a Service")
    const holder = spec.nested("for")
    for (const field of ["cluster", "namespace", "name"]) holder.require(field, "a name")
    const address = spec.parsed("address", addressSyntax, canonicalAddress)
    const pool = spec.parsed("pool", nameSyntax, parseName)
    const ipFamily = spec.oneOf("ipFamily", ["IPv4", "IPv6"])
    if (!spec.has("address") && !spec.has("pool")) {
      spec.reader.report("LT0106", "spec.address", "address, or pool to have one chosen from it", "neither")
    }
    if (spec.has("address") && spec.has("ipFamily")) {
      spec.reader.report("LT0115", "spec.ipFamily", "ipFamily beside pool only", "address and ipFamily")
    }
    const named = (field: string) => holder.parsed(field, nameSyntax, parseName) ?? ""
    const names = { cluster: named("cluster"), namespace: named("namespace"), service: named("name") }
    holder.reportUnknown()
    return { _tag: "Reservation", name: raw.name, ...names, address, pool, ipFamily }
  },
  AddressPool: (raw, spec) => ({ _tag: "AddressPool", ...readFleetPool(raw, spec, defaultNetwork) }),
  SharedAddress: (raw, spec) => {
    const seen = new Set<string>()
    const addresses = spec.items("addresses").flatMap(({ path, value }) => {
      if (typeof value !== "string") {
        spec.reader.report("LT0105", path, "text", show(value))
        return []
      }
      const address = parseAt(spec.reader, path, value, addressSyntax, canonicalAddress)
      if (address === undefined) return []
      const family = address.includes(":") ? "IPv6" : "IPv4"
      if (seen.has(family)) spec.reader.report("LT0119", path, `one ${family} address`, `${address} as well`)
      seen.add(family)
      return [address]
    })
    if (spec.items("addresses").length === 0) {
      spec.reader.report("LT0106", "spec.addresses", "an IPv4 or IPv6 address, or one of each", "nothing")
    }
    const clusters = new Set<string>()
    const members = spec.mappings("members").map((member): SharedMember => {
      for (const field of ["cluster", "namespace", "name"]) member.require(field, "a name")
      member.require("priority", "a number; the lowest is preferred")
      const named = (field: string) => member.parsed(field, nameSyntax, parseName) ?? ""
      const cluster = named("cluster")
      if (clusters.has(cluster))
        spec.reader.report("LT0114", member.at("cluster"), "each cluster once", `${cluster} again`)
      clusters.add(cluster)
      const read = {
        ...{ cluster, namespace: named("namespace"), name: named("name") },
        priority: member.integer("priority", { min: 0, max: 1000 }) ?? 0
      }
      member.reportUnknown()
      return read
    })
    if (members.length === 0) {
      spec.reader.report("LT0106", "spec.members", "the Services that have the address, one a cluster", "nothing")
    }
    const priorities = new Set(members.map(({ priority }) => priority))
    if (priorities.size > prioritiesMax) {
      const found = `${priorities.size} of them`
      spec.reader.report("LT0108", spec.at("members"), `at most ${prioritiesMax} different priorities`, found)
    }
    const network = spec.parsed("network", nameSyntax, parseName) ?? defaultNetwork
    return { _tag: "SharedAddress", name: raw.name, network, addresses, members }
  },
  Fleet: (raw, spec) => {
    spec.require("blastRadius", "how much may be withdrawn without a second person")
    const radius = spec.nested("blastRadius")
    const perSeconds = radius.parsed("per", durationSyntax, parseDurationSeconds)
    if (perSeconds !== undefined && (perSeconds < 1 || perSeconds > budgetPeriodSecondsMax)) {
      spec.reader.report("LT0108", "spec.blastRadius.per", "1s to 168h", `${perSeconds}s`)
    }
    const each = radius.nested("perCluster")
    const cluster = readShare(each)
    each.reportUnknown()
    const clusters = readShares(radius)
    const settings = { _tag: "Fleet" as const, name: raw.name, ...readShare(radius), perSeconds, cluster, clusters }
    radius.reportUnknown()
    return settings
  },
  Quota: (raw, spec) => {
    spec.require("addresses", "how many addresses")
    return {
      _tag: "Quota",
      name: raw.name,
      cluster: spec.parsed("cluster", nameSyntax, parseName),
      namespace: spec.parsed("namespace", nameSyntax, parseName),
      addresses: spec.integer("addresses", { min: 0, max: addressesMax }) ?? 0
    }
  }
}

/** Whether the text names a kind of the fleet's own. */
export const isFleetKind = (kind: string): kind is FleetKind => Object.hasOwn(readers, kind)

/** Whether an object is of a kind of the fleet's own, in whatever version. */
export const isFleetObject = ({ apiVersion, kind }: Pick<RawObject, "apiVersion" | "kind">): boolean =>
  apiVersion.startsWith("lowtide.dev/") && isFleetKind(kind)

/** An object with an unknown field is not taken at all. */
const asError = (found: Finding): Finding => ({ ...found, severity: "error" })

/**
 * Reads one of the fleet's own objects, with all its faults at once. Nobody but its author wrote it, so an unknown field,
 * which would be one without effect, is a fault here.
 */
export const decodeFleetObject = (
  raw: RawObject
): { readonly object?: FleetObject; readonly findings: ReadonlyArray<Finding> } => {
  const reader = new ObjectReader({ kind: raw.kind, name: raw.name })
  if (!isFleetKind(raw.kind)) {
    reader.report("LT0107", "kind", Object.keys(readers).join(" or "), show(raw.kind))
    return { findings: reader.findings }
  }
  if (raw.apiVersion !== fleetApiVersion) reader.report("LT0103", "apiVersion", fleetApiVersion, raw.apiVersion)
  if (Result.isFailure(parseName(raw.name))) {
    reader.report("LT0141", "metadata.name", nameSyntax.expected, show(raw.name))
  }
  const spec = reader.fields("spec", raw.spec)
  const object = readers[raw.kind](raw, spec)
  spec.reportUnknown()
  return reader.findings.length === 0 ? { object, findings: [] } : { findings: reader.findings.map(asError) }
}
