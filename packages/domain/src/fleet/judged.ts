import {
  type AddressPool,
  type ClusterObject,
  decodeObject,
  type FaultyObject,
  type Finding,
  type Judgement,
  judge,
  judgeFaulty
} from "../config/index.ts"
import type { ClusterMemory, Fleet } from "./fleet.ts"
import { poolsOfFleet } from "./fleet-pools.ts"
import type { ManifestState } from "./stream.ts"

/** What a cluster's manifests, and the fleet's pools that it may draw from, amount to together. */
export const judgeCluster = (fleet: Fleet, cluster: ClusterMemory): Judgement =>
  judgeManifests(cluster, cluster.manifests.values(), poolsOfFleet(fleet.addressPools.values(), cluster))

/** What they would amount to if one of the manifests were another, or were not there at all. */
export const judgeWith = (
  fleet: Fleet,
  cluster: ClusterMemory,
  key: string,
  state: ManifestState | undefined
): Judgement => {
  const manifests = new Map(cluster.manifests)
  if (state === undefined) manifests.delete(key)
  else manifests.set(key, state)
  return judgeManifests(cluster, manifests.values(), poolsOfFleet(fleet.addressPools.values(), cluster))
}

/** What the manifests would amount to beside other pools of the fleet. */
export const judgeWithPools = (cluster: ClusterMemory, fleetPools: ReadonlyArray<AddressPool>): Judgement =>
  judgeManifests(cluster, cluster.manifests.values(), fleetPools)

/** What is wrong, beside the others, with the versions of the cluster's objects that were not taken. */
export const judgeRefused = (fleet: Fleet, cluster: ClusterMemory): ReadonlyArray<Finding> => {
  const refused = [...cluster.findings.values()].flatMap((state): ReadonlyArray<FaultyObject> => {
    const { faulty, findings } = state.refused === undefined ? { findings: [] } : decodeObject(state.refused)
    return faulty === undefined ? [] : [{ object: faulty, findings }]
  })
  if (refused.length === 0) return []
  const fleetPools = poolsOfFleet(fleet.addressPools.values(), cluster)
  return judgeFaulty(objectsOf(cluster, cluster.manifests.values()), refused, { fleetPools })
}

const judgeManifests = (
  cluster: ClusterMemory,
  manifests: Iterable<ManifestState>,
  fleetPools: ReadonlyArray<AddressPool>
): Judgement => judge(objectsOf(cluster, manifests), { fleetPools, allowedPrefixes: cluster.allowedPrefixes })

const objectsOf = (cluster: ClusterMemory, manifests: Iterable<ManifestState>): ReadonlyArray<ClusterObject> => {
  const objects: Array<ClusterObject> = []
  for (const state of manifests) {
    const { object } = decodeObject(state.manifest)
    if (object !== undefined) objects.push({ ...asInEffect(object, state), createdAt: ageText(state) })
  }
  const nodes = [...cluster.nodes.values()].filter(({ present }) => present)
  for (const { node } of nodes) objects.push({ _tag: "Node", value: node })
  return objects
}

const asInEffect = (object: ClusterObject, { retired }: ManifestState): ClusterObject =>
  object._tag === "IPAddressPool" && retired === true
    ? { ...object, value: { ...object.value, autoAssign: false, retired } }
    : object

/** `judge` goes by text order of creation times; the order of arrival serves as one, also for manifests without any. */
const ageText = (state: ManifestState): string => String(state.ordinal).padStart(12, "0")
