import { type Finding, finding, type RawObject, rawRef } from "../config/index.ts"
import { brokenBy, heldFindings } from "./broken-by.ts"
import type { ClusterMemory, Fleet } from "./fleet.ts"
import { ownPoolNamed, poolsOfFleet } from "./fleet-pools.ts"
import type { ManifestState } from "./stream.ts"

/** The changes of the cluster's objects that are held, by the keys of the objects. */
export const heldOf = (cluster: ClusterMemory): Map<string, RawObject> =>
  new Map(
    [...cluster.waiting].flatMap((key) => {
      const held = cluster.findings.get(key)?.held
      return held === undefined ? [] : [[key, held] as const]
    })
  )

/** Why this version of an object cannot take effect as things are; nothing where it can. */
export const whyHeld = (fleet: Fleet, cluster: ClusterMemory, manifest: RawObject): ReadonlyArray<Finding> => {
  const ref = rawRef(manifest)
  const hiding = hidesFleetPool(fleet, cluster, manifest)
  if (hiding !== undefined) return [hiding]
  // It is judged as the youngest, so that it takes nothing from others: of two peers that meet, the changed one is at fault.
  const newest: ManifestState = { _tag: "Manifest", cluster: cluster.name, manifest, ordinal: nextOrdinal(cluster) }
  const broken = brokenBy(fleet, cluster, ref, newest)
  return broken.length === 0 ? [] : heldFindings(ref, broken)
}

/** After those of all objects that there are. */
export const nextOrdinal = (cluster: ClusterMemory): number =>
  1 + Math.max(0, ...[...cluster.manifests.values()].map(({ ordinal }) => ordinal))

/** A new pool may not take the place of one of the fleet's that the cluster has: its addresses would change their pool. */
const hidesFleetPool = (fleet: Fleet, cluster: ClusterMemory, manifest: RawObject): Finding | undefined => {
  const ref = rawRef(manifest)
  if (ref.kind !== "IPAddressPool" || ownPoolNamed(cluster, ref.name) !== undefined) return undefined
  if (!poolsOfFleet(fleet.addressPools.values(), cluster).some(({ name }) => name === ref.name)) return undefined
  const expected = "a name that no AddressPool has which the cluster may draw from"
  return finding("LT0160", { object: ref, field: "metadata.name", expected, found: `AddressPool ${ref.name}` })
}
