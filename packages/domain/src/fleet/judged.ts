import { type AddressPool, type ClusterObject, decodeObject, type Judgement, judge } from "../config/index.ts"
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

const judgeManifests = (
  cluster: ClusterMemory,
  manifests: Iterable<ManifestState>,
  fleetPools: ReadonlyArray<AddressPool>
): Judgement => {
  const objects: Array<ClusterObject> = []
  for (const state of manifests) {
    const { object } = decodeObject(state.manifest)
    if (object !== undefined) objects.push({ ...asInEffect(object, state), createdAt: ageText(state) })
  }
  const nodes = [...cluster.nodes.values()].filter(({ present }) => present)
  for (const { node } of nodes) objects.push({ _tag: "Node", value: node })
  return judge(objects, { fleetPools })
}

const asInEffect = (object: ClusterObject, { retired }: ManifestState): ClusterObject =>
  object._tag === "IPAddressPool" && retired === true
    ? { ...object, value: { ...object.value, autoAssign: false, retired } }
    : object

/** `judge` goes by text order of creation times; the order of arrival serves as one, also for manifests without any. */
const ageText = (state: ManifestState): string => String(state.ordinal).padStart(12, "0")
