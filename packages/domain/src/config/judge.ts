import { compareTexts } from "../words.ts"
import type { Backend } from "./backend.ts"
import type { ClusterConfig } from "./cluster-config.ts"
import { type ClusterObject, type Kind, refOf } from "./cluster-object.ts"
import type { FindingCode } from "./codes.ts"
import { type Finding, finding, formatObjectRef } from "./finding.ts"
import { defaultNetwork } from "./fleet-cluster.ts"
import { rangesWithin } from "./fleet-pool.ts"
import { judgeAdvertisements } from "./judge-advertisements.ts"
import { echoOverIpv6 } from "./judge-echo.ts"
import { judgePeers } from "./judge-peers.ts"
import { type AddressPool, textsOverlap } from "./pool.ts"

/** What a cluster's objects amount to together. */
export interface Judgement {
  readonly config: ClusterConfig
  readonly findings: ReadonlyArray<Finding>
}

/** One object of a kind, as the rules across objects see it. */
export type Candidate<Name extends Kind> = Extract<ClusterObject, { readonly _tag: Name }>

/** What the objects of a cluster are judged by, beside themselves. */
export interface JudgeOptions {
  /** `native` unless named. */
  readonly backend?: Backend
  /** Pools of the fleet that the cluster may draw from. They may have addresses in common with its own: each is given once. */
  readonly fleetPools?: ReadonlyArray<AddressPool>
  /** What the cluster may announce, where no Cluster among the objects says it; empty: anything. */
  readonly allowedPrefixes?: ReadonlyArray<string>
  /** Whether an object takes no effect, whatever comes of it; none unless given. */
  readonly isFaulty?: (kind: Kind, name: string) => boolean
}

/** Says what one object is guilty of. */
export type Report = (
  object: ClusterObject,
  code: FindingCode,
  facts: { readonly field: string; readonly expected: string; readonly found: string; readonly fix?: string }
) => void

/** The end of a sentence about the older of two objects that contradict each other. */
export type Stands = (kind: Kind, name: string) => string

/**
 * Looks across the objects of one cluster. Where two contradict each other the older stays in effect: by
 * creationTimestamp, objects with one before those without, then by name. So the order in which they are given does not
 * matter, and a new object never takes an old one out of effect. Services and endpoints are not looked at.
 *
 * What a peer asks for is measured by what the backend can do, `native` unless named. Nodes decide whether two peers, or two advertisements, meet on one; without any, equal selectors and empty
 * ones meet.
 */
export const judge = (objects: Iterable<ClusterObject>, options: JudgeOptions = {}): Judgement => {
  const { backend = "native", fleetPools = [], isFaulty = () => false } = options
  const stands: Stands = (kind, name) => (isFaulty(kind, name) ? "" : ", which stays in effect")
  const findings: Array<Finding> = []
  const report: Report = (object, code, facts) => {
    findings.push(finding(code, { object: refOf(object), ...facts, source: object.source }))
  }
  const sorted = [...objects].sort(compareAge)
  const of = <Name extends Kind>(kind: Name): ReadonlyArray<Candidate<Name>> =>
    withoutDuplicates(
      sorted.filter((object): object is Candidate<Name> => object._tag === kind),
      report
    )
  const ownPools = of("IPAddressPool")
  const clusters = of("Cluster")
  const pools = [...judgePools(ownPools, { report, stands }), ...fleetPools]
  const allowed = options.allowedPrefixes ?? clusters[0]?.value.allowedPrefixes ?? []
  for (const candidate of ownPools) reportBeyond(candidate, allowed, report)
  const communities = judgeAliases(of("Community"), report)
  const profiles = of("BFDProfile")
  const bfdProfiles = values(profiles)
  if (backend === "native") for (const profile of profiles) reportEcho(profile, report)
  const nodes = of("Node").map((node) => node.value)
  const candidates = of("BGPPeer")
  const held = judgePeers(candidates, { nodes, bfdProfiles: names(bfdProfiles), backend, report, stands })
  const advertisements = judgeAdvertisements(of("BGPAdvertisement"), {
    ...{ nodes, pools, peers: held, communities },
    isThere: (kind, name) => (kind === "BGPPeer" ? candidates : ownPools).some(({ value }) => value.name === name),
    ...{ backend, report, stands }
  })
  const echoing =
    backend === "native" ? [] : echoOverIpv6({ candidates, peers: held, bfdProfiles, advertisements, pools, report })
  const peers = held.filter(({ name }) => !echoing.includes(name))
  const network = judgeCluster(clusters, report)
  return {
    config: {
      network,
      pools: pools.toSorted(byName),
      peers: peers.toSorted(byName),
      advertisements: advertisements.toSorted(byName),
      communities,
      bfdProfiles: bfdProfiles.toSorted(byName)
    },
    findings
  }
}

/** Echo packets would have to come back by the peer's forwarding: Lowtide's own BFD sends none, and runs without. */
const reportEcho = (profile: Candidate<"BFDProfile">, report: Report): void => {
  if (!profile.value.echoMode) return
  const fix = "Remove it: a lost path is found by the receive interval and the multiplier"
  report(profile, "LT0134", { field: "spec.echoMode", expected: "nothing", found: "true", fix })
}

/** Negative when `left` is the older of the two, and stays in effect where they contradict each other. */
export const compareAge = (left: ClusterObject, right: ClusterObject): number =>
  compareTexts(left.createdAt ?? "~", right.createdAt ?? "~") || // "~" sorts after every digit
  compareTexts(left.value.name, right.value.name) ||
  compareTexts(refOf(left).namespace ?? "", refOf(right).namespace ?? "")

const byName = (left: { readonly name: string }, right: { readonly name: string }): number =>
  compareTexts(left.name, right.name)

const values = <Value>(candidates: ReadonlyArray<{ readonly value: Value }>): ReadonlyArray<Value> =>
  candidates.map((candidate) => candidate.value)

const names = (objects: ReadonlyArray<{ readonly name: string }>): ReadonlySet<string> =>
  new Set(objects.map((object) => object.name))

/** Configuration names each other by name alone, so a name may stand once, whatever the namespace. */
const withoutDuplicates = <Name extends Kind>(
  candidates: ReadonlyArray<Candidate<Name>>,
  report: Report
): ReadonlyArray<Candidate<Name>> => {
  const first = new Map<string, Candidate<Name>>()
  for (const candidate of candidates) {
    const other = first.get(candidate.value.name)
    if (other === undefined) first.set(candidate.value.name, candidate)
    else {
      const expected = `one ${candidate._tag} of the name ${candidate.value.name} in a cluster`
      report(candidate, "LT0122", { field: "metadata.name", expected, found: `another, ${place(other)}` })
    }
  }
  return [...first.values()]
}

const place = (object: ClusterObject): string =>
  object.source === undefined
    ? formatObjectRef(refOf(object))
    : `${formatObjectRef(refOf(object))} at ${object.source.file}:${object.source.line}`

const judgePools = (
  candidates: ReadonlyArray<Candidate<"IPAddressPool">>,
  { report, stands }: { readonly report: Report; readonly stands: Stands }
): ReadonlyArray<AddressPool> => {
  const kept: Array<AddressPool> = []
  for (const candidate of candidates.filter(({ value }) => value.retired !== true)) {
    const clash = firstClash(candidate.value, kept)
    if (clash === undefined) {
      kept.push(candidate.value)
      continue
    }
    report(candidate, "LT0121", {
      field: `spec.addresses[${clash.index}]`,
      expected: `no addresses of pool ${clash.pool.name}${stands("IPAddressPool", clash.pool.name)}`,
      found: `${candidate.value.ranges[clash.index]}, which overlaps its ${clash.range}`,
      fix: `Take ${candidate.value.ranges[clash.index]} out of pool ${candidate.value.name}, or what it shares with it out of pool ${clash.pool.name}`
    })
  }
  // One that gives out nothing contradicts nobody: another pool may have its ranges already.
  const names = new Set(kept.map(({ name }) => name))
  const retired = candidates.map(({ value }) => value).filter((pool) => pool.retired === true && !names.has(pool.name))
  return [...kept, ...retired]
}

/** What speakers would refuse to announce. */
const reportBeyond = (candidate: Candidate<"IPAddressPool">, allowed: ReadonlyArray<string>, report: Report): void => {
  for (const [index, range] of candidate.value.ranges.entries()) {
    if (rangesWithin([range], allowed).join() === range) continue
    const expected = `addresses within the cluster's allowedPrefixes ${allowed.join(", ")}`
    report(candidate, "LT0163", { field: `spec.addresses[${index}]`, expected, found: range })
  }
}

const firstClash = (
  pool: AddressPool,
  kept: ReadonlyArray<AddressPool>
): { readonly pool: AddressPool; readonly range: string; readonly index: number } | undefined => {
  for (const [index, own] of pool.ranges.entries()) {
    for (const other of kept) {
      const range = other.ranges.find((candidate) => textsOverlap(candidate, own))
      if (range !== undefined) return { pool: other, range, index }
    }
  }
  return undefined
}

const judgeAliases = (
  candidates: ReadonlyArray<Candidate<"Community">>,
  report: Report
): Readonly<Record<string, string>> => {
  const aliases = new Map<string, { readonly value: string; readonly owner: string }>()
  for (const candidate of candidates) {
    for (const [alias, value] of Object.entries(candidate.value.aliases)) {
      const other = aliases.get(alias)
      if (other === undefined) aliases.set(alias, { value, owner: candidate.value.name })
      else if (other.value !== value) {
        const expected = `${alias} to be ${other.value}, as Community ${other.owner} has it`
        report(candidate, "LT0127", { field: "spec.communities", expected, found: value })
      }
    }
  }
  return Object.fromEntries([...aliases].sort().map(([alias, { value }]) => [alias, value]))
}

/** A folder is of one cluster. */
const judgeCluster = (candidates: ReadonlyArray<Candidate<"Cluster">>, report: Report): string => {
  const [first, ...others] = candidates
  for (const other of others) {
    const expected = `one Cluster, which is ${first?.value.name}`
    report(other, "LT0122", { field: "metadata.name", expected, found: `another, ${other.value.name}` })
  }
  return first?.value.network ?? defaultNetwork
}
