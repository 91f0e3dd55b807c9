import { prefixOrder } from "@lowtide/net"
import { askedPoolFindings } from "../allocation/asked-pools.ts"
import { faultyServiceFindings } from "../allocation/faulty-services.ts"
import { classText, wantsAddress } from "../allocation/wish.ts"
import type { VipIntent } from "../announcing/intent.ts"
import type { Verdict } from "../announcing/node-routes.ts"
import { preferenceClashes } from "../announcing/preferences.ts"
import { addressesOf, resolveNode, resolveVip } from "../announcing/resolve.ts"
import type { AddressPool, Backend, Finding } from "../config/index.ts"
import type { ReasonCode } from "../fleet/event.ts"
import type { ClusterMemory, Fleet } from "../fleet/fleet.ts"
import { poolsOfFleet } from "../fleet/fleet-pools.ts"
import { slicesByService } from "../fleet/observation.ts"
import type { ServiceState } from "../fleet/stream.ts"
import { type Decided, decideAll, inTellingOrder, type PreviewOptions } from "./decided.ts"
import { type ClusterInput, inOrder, judgedFindings, located } from "./findings.ts"
import { type NodeAnswer, nodeOf, type PreviewedNode } from "./node-answers.ts"

/** What one cluster's objects would come to. */
export interface ClusterPreview {
  readonly cluster: string
  readonly network: string
  readonly findings: ReadonlyArray<Finding>
  readonly services: ReadonlyArray<PreviewedService>
  readonly nodes: ReadonlyArray<PreviewedNode>
}

/** A Service of type LoadBalancer, in the order in which it was taken; those with errors, which are not taken, last. */
export interface PreviewedService {
  readonly namespace: string
  readonly name: string
  readonly addresses: ReadonlyArray<string>
  /** The pool of its addresses; null when it has none. */
  readonly pool: string | null
  /** Why it has these addresses, or not what it asks for. */
  readonly reason: string
  /** Beside an address: what it asks for and does not get. */
  readonly refusal: Finding | null
  /** All that is wrong with what it asks of the pools, of which the refusal may be the first. */
  readonly asked: ReadonlyArray<Finding>
  /** What is amiss with the way it would be announced. */
  readonly warnings: ReadonlyArray<Finding>
  /** What each node makes of it, by node: of several addresses, the best. */
  readonly verdicts: ReadonlyMap<string, Verdict>
}

/**
 * What the objects of one or more clusters would come to in a fleet that had nothing before: the commands of their agents
 * through `decide`, what is then resolved for each VIP and node, and what each node makes of it. No two clusters of one
 * network get the same address; the clusters are taken in the order given.
 */
export const preview = (
  clusters: ReadonlyArray<ClusterInput>,
  options: PreviewOptions = {}
): ReadonlyArray<ClusterPreview> => {
  const decided = decideAll(clusters, options)
  return clusters.map((cluster, index) => previewCluster(cluster, index, decided))
}

/**
 * All that is wrong with the objects of each cluster under a backend: what `judge` says of the configuration, and what its
 * Services would be refused.
 */
export const lint = (
  clusters: ReadonlyArray<ClusterInput>,
  backend: Backend,
  options: PreviewOptions = {}
): ReadonlyArray<Pick<ClusterPreview, "cluster" | "findings">> => {
  const decided = decideAll(clusters, options)
  return clusters.map((input, index) => {
    const services = servicesOf(input, decided, { intents: intentsOf(decided.fleet, input), nodes: [] })
    return { cluster: input.name, findings: findingsOf(input, index, { services, decided, backend }) }
  })
}

/** What is wrong in one cluster; what is wrong with the fleet's own objects is told once, with the first. */
const findingsOf = (
  input: ClusterInput,
  index: number,
  {
    services,
    decided: { fleet, fleetFindings },
    backend
  }: {
    readonly services: ReadonlyArray<PreviewedService>
    readonly decided: Decided
    readonly backend: Backend
  }
): ReadonlyArray<Finding> => {
  const fleetPools = poolsOfFleet(fleet.addressPools.values(), fleet.cluster(input.name))
  return inOrder([
    ...(index === 0 ? fleetFindings : []),
    ...judgedFindings(input, { backend, fleetPools }),
    ...refusalsOf(input, services, fleetPools),
    ...services.flatMap(({ warnings }) => warnings.map((found) => located(input, found)))
  ])
}

const previewCluster = (input: ClusterInput, index: number, decided: Decided): ClusterPreview => {
  const { fleet } = decided
  const cluster = fleet.cluster(input.name)
  const slices = slicesByService(input.observations)
  const intents = intentsOf(fleet, input)
  const order = prefixOrder(intents.flatMap(({ routes }) => routes.map(({ prefix }) => prefix)))
  const nodes = [...cluster.nodes.values()]
    .map((node) => nodeOf({ ...resolveNode(fleet, cluster, node), ...unnumbered }, { intents, slices, order }))
    .sort((left, right) => (left.shown.name < right.shown.name ? -1 : 1))
  const services = servicesOf(input, decided, { intents, nodes })
  return {
    cluster: input.name,
    network: cluster.network,
    findings: findingsOf(input, index, { services, decided, backend: "native" }),
    services,
    nodes: nodes.map(({ shown }) => shown)
  }
}

/** What would be said of each address that the cluster has. */
const intentsOf = (fleet: Fleet, { name }: ClusterInput): ReadonlyArray<VipIntent> => {
  const cluster = fleet.cluster(name)
  return [...cluster.vips].flatMap((stream): ReadonlyArray<VipIntent> => {
    const vip = fleet.vips.get(stream)
    return vip?.phase === "assigned" ? [{ ...resolveVip(fleet, cluster, vip, []), ...unnumbered }] : []
  })
}

/** The cluster's Services in the order in which they are taken; with what `nodes` make of them. */
const servicesOf = (
  input: ClusterInput,
  { fleet, reasons, options }: Decided,
  { intents, nodes }: { readonly intents: ReadonlyArray<VipIntent>; readonly nodes: ReadonlyArray<NodeAnswer> }
): ReadonlyArray<PreviewedService> => {
  const cluster = fleet.cluster(input.name)
  const byAddress = new Map(intents.map((intent) => [intent.address, intent]))
  const services = inTellingOrder(input.observations, options).flatMap(({ object }) => {
    if (object._tag !== "Service" || object.value.type !== "LoadBalancer") return []
    const state = cluster.services.get(`${object.value.namespace}/${object.value.name}`)
    return state === undefined ? [] : serviceOf({ fleet, cluster, state, reasons, nodes, intents: byAddress })
  })
  return [...services, ...faultyServicesOf(fleet, cluster, input)]
}

/** A message that nobody is sent. */
const unnumbered = {
  stamp: { incarnation: 0, epoch: 0, seq: 0 },
  cseq: 0,
  prevCseq: 0,
  cause: { seq: 0, type: "", reason: "", actor: "" }
} as const

const serviceOf = ({
  fleet,
  cluster,
  state,
  reasons,
  nodes,
  intents
}: {
  readonly fleet: Fleet
  readonly cluster: ClusterMemory
  readonly state: ServiceState
  readonly reasons: ReadonlyMap<string, ReasonCode>
  readonly nodes: ReadonlyArray<NodeAnswer>
  readonly intents: ReadonlyMap<string, VipIntent>
}): PreviewedService => {
  const { namespace, name } = state.service
  const addresses = addressesOf(cluster, state)
  const pools = [...new Set(addresses.map((address) => fleet.vip(cluster.network, address, cluster.name)?.pool ?? ""))]
  const given = [...new Set(addresses.map((address) => reasons.get(`${cluster.name}/${namespace}/${name} ${address}`)))]
  const refused = state.refusal === null ? [] : [`${state.refusal.code} ${state.refusal.message}`]
  const ignored = wantsAddress(state.service, cluster) ? [] : [classText(state.service, cluster)]
  const deleting = state.service.deleting === true && addresses.length === 0 ? ["it is being deleted"] : []
  return {
    namespace,
    name,
    addresses,
    pool: pools.length === 0 ? null : pools.join(", "),
    reason: [...given.filter((reason) => reason !== undefined), ...refused, ...ignored, ...deleting].join("; "),
    refusal: state.refusal,
    asked: state.refusal === null ? [] : askedPoolFindings(fleet, cluster, state.service),
    warnings: addresses.flatMap((address) => {
      const intent = intents.get(address)
      return intent === undefined ? [] : preferenceClashes(state.service, intent)
    }),
    verdicts: new Map(
      nodes.flatMap(({ shown, verdictOf }) => {
        const own = addresses.flatMap((address) => {
          const intent = intents.get(address)
          return (intent && verdictOf(intent, state.service)) ?? []
        })
        const best = own.find(({ _tag }) => _tag === "Announced") ?? own[0]
        return best === undefined ? [] : [[shown.name, best] as const]
      })
    )
  }
}

/** Services that are asked for with errors, which no agent tells of: they get nothing. */
const faultyServicesOf = (
  fleet: Fleet,
  cluster: ClusterMemory,
  { faulty = [] }: ClusterInput
): ReadonlyArray<PreviewedService> =>
  faulty.flatMap((each) => {
    const { object, findings } = each
    const fault = findings.find(({ severity }) => severity === "error")
    if (object._tag !== "Service" || object.value.type !== "LoadBalancer" || fault === undefined) return []
    const { namespace, name } = object.value
    return {
      ...{ namespace, name, addresses: [], pool: null },
      ...{ reason: `${fault.code} ${fault.message}`, refusal: fault, warnings: [], verdicts: new Map() },
      asked: faultyServiceFindings(fleet, cluster, each)
    }
  })

/**
 * What Services would not get. Where no pool was written at all, as in the folder of a team that has only Services,
 * nothing is held against them.
 */
const refusalsOf = (
  input: ClusterInput,
  services: ReadonlyArray<PreviewedService>,
  fleetPools: ReadonlyArray<AddressPool>
): ReadonlyArray<Finding> => {
  const { observations, findings, faulty = [] } = input
  const hasPools =
    fleetPools.length > 0 ||
    observations.some(({ object }) => object._tag === "IPAddressPool") ||
    findings.some(({ object }) => object.kind === "IPAddressPool")
  if (!hasPools) return []
  const isTold = (refusal: Finding): boolean => faulty.some((object) => object.findings.includes(refusal))
  return services.flatMap(({ refusal, asked }) => {
    const refused = refusal === null || isTold(refusal) ? [] : [refusal]
    const more = asked.filter(({ message }) => message !== refusal?.message)
    return [...refused, ...more].map((found) => located(input, found))
  })
}
