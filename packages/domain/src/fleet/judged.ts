import {
  type AddressPool,
  type ClusterConfig,
  type ClusterObject,
  type Decoded,
  decodeObject,
  type FaultyObject,
  type Finding,
  type Judgement,
  judge,
  judgeFaulty,
  type Labels,
  type RawObject
} from "../config/index.ts"
import type { ClusterMemory, Fleet } from "./fleet.ts"
import { poolsOfFleet } from "./fleet-pools.ts"
import type { FindingsState, KeptState, ManifestState } from "./stream.ts"

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

/** A version by the key of its object, as `ClusterMemory.kept` has it. */
type KeptEntry = readonly [string, KeptState]

/**
 * What they amount to for routes beside versions that are kept. Of a pool its labels alone are: who may have which
 * address is a matter of the newest version.
 */
export const judgeAnnounced = (fleet: Fleet, cluster: ClusterMemory, kept: Iterable<KeptEntry>): Judgement => {
  const manifests = new Map(cluster.manifests)
  const labelsOf = new Map<string, Labels>()
  for (const [key, { version }] of kept) {
    if (version._tag === "AddressPool") labelsOf.set(version.pool.name, version.pool.pool.labels)
    else putKept(manifests, key, version)
  }
  const pools = poolsOfFleet(fleet.addressPools.values(), cluster)
  return judgeManifests(
    cluster,
    manifests.values(),
    pools.map((pool) => ({ ...pool, labels: labelsOf.get(pool.name) ?? pool.labels }))
  )
}

/** The configuration that routes would go by beside these versions, none included. */
export const announcedWith = (fleet: Fleet, cluster: ClusterMemory, kept: ReadonlyArray<KeptEntry>): ClusterConfig =>
  kept.length === 0 ? fleet.config(cluster) : judgeAnnounced(fleet, cluster, kept).config

const putKept = (manifests: Map<string, ManifestState>, key: string, version: ManifestState): void => {
  const newest = manifests.get(key)
  if (version.manifest.kind !== "IPAddressPool") manifests.set(key, version)
  else if (newest !== undefined) {
    manifests.set(key, { ...newest, manifest: { ...newest.manifest, labels: version.manifest.labels } })
  }
}

/** What the manifests would amount to beside other pools of the fleet. */
export const judgeWithPools = (cluster: ClusterMemory, fleetPools: ReadonlyArray<AddressPool>): Judgement =>
  judgeManifests(cluster, cluster.manifests.values(), fleetPools)

/** The version of an object that was not taken, as far as it can be read; none where there is none. */
export const refusedVersion = ({ refused }: FindingsState): ReadonlyArray<FaultyObject> => {
  const { faulty, findings } = refused === undefined ? { findings: [] } : decodeObject(refused)
  return faulty === undefined ? [] : [{ object: faulty, findings }]
}

/** What is wrong, beside the others, with the versions of the cluster's objects that were not taken. */
export const judgeRefused = (fleet: Fleet, cluster: ClusterMemory): ReadonlyArray<Finding> => {
  const refused = [...cluster.findings.values()].flatMap(refusedVersion)
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
    const { object } = decodedOnce(state.manifest)
    if (object !== undefined) objects.push({ ...asInEffect(object, state), createdAt: ageText(state) })
  }
  const nodes = [...cluster.nodes.values()].filter(({ present }) => present)
  for (const { node } of nodes) objects.push({ _tag: "Node", value: node })
  return objects
}

/** A cluster is judged at each change of one of its objects: the others are what they were. */
const decodedOnce = (manifest: RawObject): Decoded => {
  const known = decoded.get(manifest)
  if (known !== undefined) return known
  const read = decodeObject(manifest)
  decoded.set(manifest, read)
  return read
}

const decoded = new WeakMap<RawObject, Decoded>()

const asInEffect = (object: ClusterObject, { retired }: ManifestState): ClusterObject =>
  object._tag === "IPAddressPool" && retired === true
    ? { ...object, value: { ...object.value, autoAssign: false, retired } }
    : object

/** `judge` goes by text order of creation times; the order of arrival serves as one, also for manifests without any. */
const ageText = (state: ManifestState): string => String(state.ordinal).padStart(12, "0")
