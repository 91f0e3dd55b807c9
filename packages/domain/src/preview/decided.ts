import { Result } from "effect"
import { decodeFleetObject, type Finding, finding } from "../config/index.ts"
import type { Command } from "../fleet/command.ts"
import { decide } from "../fleet/decide.ts"
import type { DecisionContext } from "../fleet/draft.ts"
import type { DomainEvent, ReasonCode } from "../fleet/event.ts"
import { Fleet } from "../fleet/fleet.ts"
import { fleetPoolFindings, unselectedFinding } from "../fleet/fleet-pools.ts"
import {
  byAge,
  endpointTellings,
  networkTelling,
  type Observation,
  objectTelling,
  type Phase,
  phases
} from "../fleet/observation.ts"
import type { ClusterInput, FleetInput } from "./findings.ts"

/** How Services that wait together are taken. */
export interface PreviewOptions {
  /** One after another as they stand in the files, whatever their age. */
  readonly servicesInOrder?: boolean
  /** Objects of the whole fleet. */
  readonly fleet?: ReadonlyArray<FleetInput>
}

/** What came of all that the files order. */
export interface Decided {
  readonly fleet: Fleet
  /** Why a Service was given an address, by `cluster/namespace/name address`. */
  readonly reasons: ReadonlyMap<string, ReasonCode>
  readonly options: PreviewOptions
  /** What is wrong with the fleet's own objects. */
  readonly fleetFindings: ReadonlyArray<Finding>
}

/**
 * Carries out all that the files order: what the clusters are, the fleet's pools and quotas, each cluster's configuration,
 * the reservations of addresses of all those pools, and then cluster after cluster its Services.
 */
export const decideAll = (clusters: ReadonlyArray<ClusterInput>, options: PreviewOptions): Decided => {
  const fleet = new Fleet()
  const events: Array<DomainEvent> = []
  const rejections: Array<Finding> = []
  const ordered = new Map<string, FleetInput>()
  const say = (command: Command): void => {
    events.push(...Result.getOrThrow(decide(fleet, command, fromNothing))) // no order that is refused
  }
  const order = (isWanted: (kind: string) => boolean): void => {
    for (const { object, locate } of options.fleet ?? []) {
      if (!isWanted(object.kind)) continue
      const faults = faultsOf({ object, locate }, ordered)
      rejections.push(...faults)
      if (faults.length > 0) continue
      const decided = decide(fleet, { _tag: "ApplyFleetObject", manifest: object }, fromNothing)
      if (Result.isSuccess(decided)) {
        events.push(...decided.success)
        ordered.set(`${object.kind}/${object.name}`, { object, locate })
      } else rejections.push({ ...decided.failure, source: locate(decided.failure.field) })
    }
  }
  for (const cluster of clusters) say(networkTelling(cluster.name, cluster.observations))
  order((kind) => kind !== "Reservation" && kind !== "SharedAddress")
  const commands = clusters.map((cluster) => commandsOf(cluster, options))
  for (const { configuration } of commands) for (const command of configuration) say(command)
  order((kind) => kind === "Reservation" || kind === "SharedAddress")
  for (const { holders } of commands) for (const command of holders) say(command)
  for (const { services } of commands) for (const command of services) say(command)
  const reasons = new Map(
    events.flatMap(({ type, reason, about }) =>
      type === "VipAssigned"
        ? [[`${about.cluster}/${about.namespace}/${about.service} ${about.address}`, reason] as const]
        : []
    )
  )
  return { fleet, reasons, options, fleetFindings: [...rejections, ...poolFindings(fleet, clusters, options)] }
}

/** All that is wrong with one of the fleet's objects by itself, or that there is one of its name in effect already. */
const faultsOf = ({ object, locate }: FleetInput, ordered: ReadonlyMap<string, FleetInput>): ReadonlyArray<Finding> => {
  const { findings } = decodeFleetObject(object)
  const first = ordered.get(`${object.kind}/${object.name}`)?.locate("")
  const ref = { kind: object.kind, name: object.name }
  const found = `a second one; the one at ${first?.file}:${first?.line} is in effect`
  const twice = first === undefined ? [] : [finding("LT0122", { object: ref, expected: "each object once", found })]
  return [...findings, ...twice].map((fault) => ({ ...fault, source: locate(fault.field) }))
}

/** What is to be known of the fleet's pools in these clusters. Where none says what it is, none is expected to be selected. */
const poolFindings = (
  fleet: Fleet,
  clusters: ReadonlyArray<ClusterInput>,
  { fleet: inputs = [] }: PreviewOptions
): ReadonlyArray<Finding> => {
  const isDescribed = clusters.some(({ observations }) => observations.some(({ object }) => object._tag === "Cluster"))
  return [...fleet.addressPools.values()].flatMap((state) => {
    const locate = inputs.find(({ object }) => object.kind === "AddressPool" && object.name === state.pool.name)?.locate
    const findings = [
      ...clusters.flatMap(({ name }) => fleetPoolFindings(fleet, fleet.cluster(name), state)),
      ...(isDescribed ? unselectedFinding(fleet, state) : [])
    ]
    return findings.map((found) => (locate === undefined ? found : { ...found, source: locate(found.field) }))
  })
}

/** Nothing was ever announced, so nothing is to be confirmed. */
const fromNothing: DecisionContext = { nowMs: 0, obligedOf: () => [], hasConfirmed: () => true }

interface Commands {
  readonly configuration: ReadonlyArray<Command>
  /** Services that have addresses by their status: of every cluster before the others of any. */
  readonly holders: ReadonlyArray<Command>
  readonly services: ReadonlyArray<Command>
}

/** What the cluster's agent would tell, in its order, after what the cluster is. */
const commandsOf = (cluster: ClusterInput, options: PreviewOptions): Commands => {
  const served = networkTelling(cluster.name, cluster.observations)
  const told = inTellingOrder(cluster.observations, options).flatMap(
    (observation) => objectTelling(cluster.name, observation, served) ?? []
  )
  const ofPhases = (...wanted: ReadonlyArray<Phase>) =>
    told.filter(({ phase }) => wanted.includes(phase)).map(({ command }) => command)
  const early = phases.filter((phase) => phase !== "holders" && phase !== "services" && phase !== "endpoints")
  const inFileOrder = options.servicesInOrder === true
  return {
    configuration: early.flatMap((phase) => ofPhases(phase)),
    holders: inFileOrder ? [] : ofPhases("holders"),
    services: [
      ...(inFileOrder ? ofPhases("holders", "services") : ofPhases("services")),
      ...endpointTellings(cluster.name, cluster.observations)
    ]
  }
}

/** What was seen, in the order in which it is taken. */
export const inTellingOrder = (
  observations: ReadonlyArray<Observation>,
  { servicesInOrder = false }: PreviewOptions
): ReadonlyArray<Observation> => {
  if (!servicesInOrder) return observations.toSorted(byAge)
  const isService = ({ object }: Observation): boolean => object._tag === "Service"
  return [...observations.filter((each) => !isService(each)).sort(byAge), ...observations.filter(isService)]
}
