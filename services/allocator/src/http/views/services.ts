import type { ListFilter } from "@lowtide/api/parameters"
import type { ServiceList, ServiceView } from "@lowtide/api/services"
import {
  addressesOf,
  type ClusterMemory,
  isOnTheWire,
  judgeVip,
  ofService,
  resolveNode,
  resolveVip,
  type ServiceObject,
  type ServiceState,
  streamOf,
  streamOfVip,
  type VipState
} from "@lowtide/domain"
import { wantsAddress } from "@lowtide/domain/allocation/wish"
import type { CommittedView } from "../../centre.ts"
import { clustersOf } from "./clusters.ts"
import { findingsOn, isLeaving } from "./findings.ts"
import { byText, readingOf } from "./reading.ts"
import { reportedHealth } from "./reported-health.ts"
import { currentStatus } from "./sync.ts"

/** Services that are to have an address, that hold one, or whose manifest cannot be read. */
export const serviceList = (view: CommittedView, filter: ListFilter, nowMs: number): ServiceList => ({
  ...readingOf(view),
  reportsSince: view.reportsSince ?? null,
  items: clustersOf(view, filter)
    .flatMap((cluster) => [
      ...servicesOf(view, cluster, filter.namespace, nowMs),
      ...gone(view, cluster, nowMs),
      ...invalid(view, cluster)
    ])
    .filter(({ namespace }) => filter.namespace === undefined || namespace === filter.namespace)
    .sort(byText(({ cluster, namespace, name }) => [cluster, namespace, name].join("\u0000")))
})

const servicesOf = (
  view: CommittedView,
  cluster: ClusterMemory,
  namespace: string | undefined,
  nowMs: number
): ReadonlyArray<ServiceView> => {
  const announcers = announcersOf(view, cluster, nowMs)
  const judge = makeJudge(view, cluster)
  return [...cluster.services.values()]
    .filter(({ service }) => namespace === undefined || service.namespace === namespace)
    .filter((state) => wantsAddress(state.service, cluster) || addressesOf(cluster, state).length > 0)
    .map((state) => viewOf(view, cluster, state, announcers, judge))
}

const viewOf = (
  view: CommittedView,
  cluster: ClusterMemory,
  state: ServiceState,
  announcers: ReadonlyMap<string, ReadonlyArray<string>>,
  judge: Judge
): ServiceView => {
  const { namespace, name, externalTrafficPolicy } = state.service
  const vips = addressesOf(cluster, state).flatMap(
    (address) => view.fleet.vip(cluster.network, address, cluster.name) ?? []
  )
  const announcing = sortedUnion(vips.map(({ address }) => announcers.get(address) ?? []))
  const judged = vips.map((vip) => judge(vip, state.service))
  return {
    cluster: cluster.name,
    network: cluster.network,
    namespace,
    name,
    addresses: vips.map((vip) => addressOf(vip, { leaving: isLeaving(cluster, state, vip.address) })),
    state: standingOf(vips, announcers),
    trafficPolicy: externalTrafficPolicy,
    announcing,
    eligible: sortedUnion(judged.map(({ eligible }) => eligible)),
    candidates: sortedUnion(judged.map(({ candidates }) => candidates)),
    refusal:
      state.refusal === null
        ? null
        : { code: state.refusal.code, message: state.refusal.message, fix: state.refusal.fix },
    findings: findingsOn(cluster, { kind: "Service", namespace, name }),
    since: newest(
      vips.length === 0
        ? [view.recordedAt(streamOf.service(cluster.name, namespace, name))]
        : vips.map((vip) => view.recordedAt(streamOfVip(vip)))
    )
  }
}

const addressOf = (
  { address, pool, heldRelease }: VipState,
  { leaving }: { readonly leaving: boolean }
): ServiceView["addresses"][number] => ({
  ...{ address, pool, leaving },
  approval: heldRelease?.order ?? null
})

/** By IP version: of one there are two addresses only while the one takes the place of the other. */
const standingOf = (vips: ReadonlyArray<VipState>, announcers: ReadonlyMap<string, unknown>): ServiceView["state"] => {
  if (vips.length === 0) return "Pending"
  if (vips.every(({ heldRelease }) => heldRelease !== undefined)) return "Held"
  const versionsOf = (some: ReadonlyArray<VipState>) => new Set(some.map(({ address }) => address.includes(":"))).size
  const announced = versionsOf(vips.filter(({ address }) => announcers.has(address)))
  if (announced === 0) return "Assigned"
  return announced < versionsOf(vips) ? "Partial" : "Announced"
}

/** Services that are gone while the withdrawal of their addresses waits for a second person. */
const gone = (view: CommittedView, cluster: ClusterMemory, nowMs: number): ReadonlyArray<ServiceView> => {
  const held = new Map<string, Array<VipState>>()
  for (const stream of [...view.fleet.heldBy.values()].flatMap((streams) => [...streams])) {
    const vip = view.fleet.vips.get(stream)
    if (vip?.cluster !== cluster.name) continue
    for (const { namespace, name } of vip.holders) {
      const key = `${namespace}/${name}`
      if (!cluster.services.has(key)) held.set(key, [...(held.get(key) ?? []), vip])
    }
  }
  if (held.size === 0) return []
  const announcers = announcersOf(view, cluster, nowMs)
  const judge = makeJudge(view, cluster)
  return [...held].map(([key, vips]) => {
    const [namespace = "", name = ""] = key.split("/")
    const judged = vips.map((vip) => judge(vip, { namespace, name }))
    return {
      ...{ cluster: cluster.name, network: cluster.network, namespace, name },
      addresses: vips.map((vip) => addressOf(vip, { leaving: false })),
      state: standingOf(vips, new Map()),
      trafficPolicy: vips[0]?.heldRelease?.service?.externalTrafficPolicy ?? "Cluster",
      announcing: sortedUnion(vips.map(({ address }) => announcers.get(address) ?? [])),
      eligible: sortedUnion(judged.map(({ eligible }) => eligible)),
      candidates: sortedUnion(judged.map(({ candidates }) => candidates)),
      refusal: null,
      findings: findingsOn(cluster, { kind: "Service", namespace, name }),
      since: newest(vips.map((vip) => view.recordedAt(streamOfVip(vip))))
    }
  })
}

/** Services of which nothing but findings is known. */
const invalid = (view: CommittedView, cluster: ClusterMemory): ReadonlyArray<ServiceView> =>
  [...cluster.findings.values()].flatMap(({ object, findings }) => {
    const namespace = object.namespace ?? "default"
    if (object.kind !== "Service" || cluster.services.has(`${namespace}/${object.name}`)) return []
    return {
      cluster: cluster.name,
      network: cluster.network,
      namespace,
      name: object.name,
      addresses: [],
      state: "Invalid" as const,
      trafficPolicy: "Cluster" as const,
      announcing: [],
      eligible: [],
      candidates: [],
      refusal: null,
      findings,
      since: view.recordedAt(streamOf.findings(cluster.name, object.kind, object.namespace ?? "", object.name)) ?? null
    }
  })

interface JudgedVip {
  readonly candidates: ReadonlyArray<string>
  readonly eligible: ReadonlyArray<string>
}

type Judge = (vip: VipState, service: Pick<ServiceObject, "namespace" | "name">) => JudgedVip

/** Which nodes may and which are to announce a VIP for one of its Services, by the same rules as the nodes themselves. */
const makeJudge = (view: CommittedView, cluster: ClusterMemory): Judge => {
  const exclusions = new Map(
    [...cluster.nodes.values()].map((state) => [state.node.name, resolveNode(view.fleet, cluster, state).excluded])
  )
  return (vip, service) => {
    const intent = ofService(resolveVip(view.fleet, cluster, vip, []), service)
    const candidates = intent.admission.candidates.filter((node) =>
      intent.routes.some(({ nodes }) => nodes.includes(node))
    )
    const announces = (node: string): boolean =>
      isOnTheWire(judgeVip({ node, excluded: exclusions.get(node) ?? null }, intent, reportedHealth(cluster, node)))
    return { candidates, eligible: candidates.filter(announces) }
  }
}

/** Nodes by the address that they announce; what a silent node announces is not known. */
const announcersOf = (
  view: CommittedView,
  cluster: ClusterMemory,
  nowMs: number
): ReadonlyMap<string, ReadonlyArray<string>> => {
  const nodes = new Map<string, Array<string>>()
  for (const heard of view.nodes.values()) {
    const status = currentStatus(heard, nowMs)
    if (status?.cluster !== cluster.name) continue
    for (const address of status.announcing) nodes.set(address, [...(nodes.get(address) ?? []), status.node])
  }
  return nodes
}

const sortedUnion = (lists: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<string> =>
  [...new Set(lists.flat())].sort()

/** RFC 3339 texts in UTC of one precision are in the order of time. */
const newest = (times: ReadonlyArray<string | undefined>): string | null =>
  times
    .flatMap((time) => time ?? [])
    .sort()
    .at(-1) ?? null
