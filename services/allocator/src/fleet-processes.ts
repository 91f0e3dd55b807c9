import type { FleetProcess } from "@lowtide/api/fleet-version"
import { type Command, type Finding, type Fleet, finding, firstFleetVersion } from "@lowtide/domain"
import type { StoredAllocator } from "@lowtide/ledger"
import type { HeardNode } from "./centre.ts"
import { agentSilentAfterMs, type HeardAgents } from "./heard-agents.ts"
import { isAllocatorSilent } from "./http/views/allocators.ts"
import { isSilent } from "./http/views/sync.ts"

/** What says who runs. */
export interface ProcessFacts {
  readonly fleet: Fleet
  readonly allocators: ReadonlyArray<StoredAllocator>
  readonly agents: HeardAgents
  readonly nodes: ReadonlyMap<string, HeardNode>
  readonly nowMs: number
}

/**
 * The processes of the fleet, and which of them hold `target` back: those that are alive and older, and an agent that may
 * be alive, since this allocator has not led for as long as an agent may take to say a word.
 */
export const fleetProcesses = (facts: ProcessFacts, target: number): ReadonlyArray<FleetProcess> => {
  const { fleet, allocators, agents, nodes, nowMs } = facts
  const heard = (kind: FleetProcess["kind"], name: string, version: number, isLive: boolean): FleetProcess => ({
    ...{ kind, name, version, state: isLive ? "live" : "silent" },
    holdsBack: isLive && version < target
  })
  const clusters = new Set([...fleet.clusters.keys(), ...agents.clusters])
  return [
    ...allocators.map((each) => heard("allocator", each.name, each.fleetVersion, !isAllocatorSilent(each, allocators))),
    ...[...clusters].sort().map((cluster): FleetProcess => {
      const agent = agents.of(cluster, nowMs)
      if (agent !== undefined) {
        return heard("agent", cluster, agent.fleetVersion, nowMs - agent.heardAtMs <= agentSilentAfterMs)
      }
      const mayLive = nowMs - agents.sinceMs <= agentSilentAfterMs
      return { kind: "agent", name: cluster, version: null, state: "unheard", holdsBack: mayLive }
    }),
    ...[...nodes]
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([name, node]) =>
        heard("speaker", name, node.status.fleetVersion ?? firstFleetVersion, !isSilent(node, nowMs))
      )
  ]
}

/** Why a version cannot be finalised: who could not read what would be sent. */
export const holdBack = (facts: ProcessFacts, command: Command): Finding | undefined => {
  if (command._tag !== "FinaliseFleet") return undefined
  const older = fleetProcesses(facts, command.version).filter(({ holdsBack }) => holdsBack)
  if (older.length === 0) return undefined
  return finding("LT0544", {
    object: { kind: "Fleet", name: "version" },
    expected: `every process that is alive to know version ${command.version}`,
    found: older.map(processText).join(", ")
  })
}

const processText = ({ kind, name, version }: FleetProcess): string =>
  `${kind} ${name} ${version === null ? "not heard from yet" : `of version ${version}`}`
