import { faultyServiceFindings } from "../allocation/faulty-services.ts"
import { stuckMoves } from "../allocation/moves.ts"
import { mayClash, preferenceFindings } from "../announcing/preferences.ts"
import { type Finding, type ObjectRef, objectKey } from "../config/index.ts"
import { reportFindings } from "./configure.ts"
import type { Draft } from "./draft.ts"
import type { DomainEvent } from "./event.ts"
import type { ClusterMemory, Fleet } from "./fleet.ts"
import { refusedVersion } from "./judged.ts"
import type { NamespaceState } from "./stream.ts"

/**
 * Records of each Service that a command may concern what is amiss with it: that advertisements give a route of it two local
 * preferences, which depends on what the Service is selected by; that a move of it cannot end; or what a version of it that
 * was not taken asks of the pools and would not get.
 */
export const reviewServices = (draft: Draft): void => {
  if (!draft.fleet.allows("preferenceFindings")) return
  const touched = new Touched()
  for (const event of draft.events) touch(draft, touched, event)
  for (const name of new Set([...touched.clusters, ...touched.services.keys()])) {
    const cluster = draft.cluster(name)
    const isClear = !mayClash(draft.fleet.announced(cluster))
    const keys = touched.clusters.has(name)
      ? new Set([...(isClear ? [] : cluster.services.keys()), ...cluster.movingOf.keys(), ...warned(cluster)])
      : (touched.services.get(name) ?? [])
    for (const key of keys) {
      const ref = serviceRef(key)
      const isWarned = cluster.findings.has(objectKey(ref))
      const state = isClear ? undefined : cluster.services.get(key)
      const stuck = stuckMoves(draft.fleet, cluster, key)
      if (state === undefined && stuck.length === 0 && !isWarned) continue
      const clashes = state === undefined ? [] : preferenceFindings(draft.fleet, cluster, state)
      const findings = [...clashes, ...stuck, ...refusedFindings(draft.fleet, cluster, key)]
      if (findings.length > 0 || isWarned) reportFindings(draft, cluster, ref, "centre", findings)
    }
  }
}

class Touched {
  /** Of which every Service may be concerned. */
  readonly clusters = new Set<string>()
  /** `namespace/name` by cluster. */
  readonly services = new Map<string, Set<string>>()

  add(cluster: string, key: string): void {
    const keys = this.services.get(cluster)
    if (keys === undefined) this.services.set(cluster, new Set([key]))
    else keys.add(key)
  }
}

const touch = (draft: Draft, touched: Touched, { before, after }: DomainEvent): void => {
  for (const state of [before, after]) {
    switch (state?._tag) {
      case "Findings":
        if (state.object.kind === "Service") touched.add(state.cluster, serviceKey(state.object))
        break
      case "Namespace":
        for (const key of refusedIn(draft.cluster(state.cluster), state)) touched.add(state.cluster, key)
        break
      case "Manifest":
      case "Kept":
      case "Node":
      case "Cluster":
        touched.clusters.add(state.cluster)
        break
      case "AddressPool":
        for (const name of draft.fleet.clusters.keys()) touched.clusters.add(name)
        break
      case "SharedAddress":
        for (const { cluster, namespace, name } of state.shared.members) touched.add(cluster, `${namespace}/${name}`)
        break
      case "Service":
        touched.add(state.cluster, `${state.service.namespace}/${state.service.name}`)
        break
      case "Vip":
        for (const { namespace, name } of state.holders) touched.add(state.cluster, `${namespace}/${name}`)
        break
      default: // nothing else decides about routes
    }
  }
}

const serviceRef = (key: string): ObjectRef => {
  const [namespace = "", name = ""] = key.split("/")
  return { kind: "Service", namespace, name }
}

const serviceKey = ({ namespace, name }: ObjectRef): string => `${namespace}/${name}`

/** Of which the centre has something to say, or may have. */
const warned = (cluster: ClusterMemory): ReadonlyArray<string> =>
  [...cluster.findings.values()].flatMap(({ object, findings, reportedCount, refused }) =>
    object.kind === "Service" && (findings.length > reportedCount || refused !== undefined) ? [serviceKey(object)] : []
  )

/** Which pools may have a Service depends on its namespace's labels. */
const refusedIn = (cluster: ClusterMemory, { namespace: { name } }: NamespaceState): ReadonlyArray<string> =>
  [...cluster.findings.values()].flatMap(({ object, refused }) =>
    object.kind === "Service" && object.namespace === name && refused !== undefined ? [serviceKey(object)] : []
  )

const refusedFindings = (fleet: Fleet, cluster: ClusterMemory, key: string): ReadonlyArray<Finding> => {
  const state = cluster.findings.get(objectKey(serviceRef(key)))
  const faulty = state === undefined ? [] : refusedVersion(state)
  return faulty.flatMap((version) => faultyServiceFindings(fleet, cluster, version))
}
