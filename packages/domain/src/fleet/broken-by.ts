import { type Finding, finding, type ObjectRef, objectKey } from "../config/index.ts"
import type { ClusterMemory, Fleet } from "./fleet.ts"
import { type PoolSubject, poolsOfFleet } from "./fleet-pools.ts"
import { judgeCluster, judgeWith, judgeWithPools } from "./judged.ts"
import type { AddressPoolState, ManifestState } from "./stream.ts"

/**
 * The errors that a change of one object would bring to objects that are in effect now: to itself, if it was there before,
 * and to others that rest on it. Such a change would take routes along with a slip of the pen, so it is not carried out.
 */
export const brokenBy = (
  fleet: Fleet,
  cluster: ClusterMemory,
  ref: ObjectRef,
  changed: ManifestState | undefined
): ReadonlyArray<Finding> => {
  const key = objectKey(ref)
  const isNew = !cluster.manifests.has(key)
  return newlyBroken(fleet, cluster, judgeWith(fleet, cluster, key, changed).findings).filter(
    ({ object }) => !(isNew && objectKey(object) === key)
  )
}

const newlyBroken = (fleet: Fleet, cluster: ClusterMemory, after: ReadonlyArray<Finding>): ReadonlyArray<Finding> => {
  const brokenNow = new Set(
    judgeCluster(fleet, cluster)
      .findings.filter(isError)
      .map(({ object }) => objectKey(object))
  )
  return after.filter((found) => isError(found) && !brokenNow.has(objectKey(found.object)))
}

/**
 * The same of a change of what the fleet's pools are to a cluster. What merely names a pool that the cluster does not have
 * any more loses no route by it: who holds addresses of it keeps it.
 */
export const brokenByPools = (
  fleet: Fleet,
  cluster: ClusterMemory,
  { pools, subject }: { readonly pools: Iterable<AddressPoolState>; readonly subject: PoolSubject }
): ReadonlyArray<Finding> =>
  newlyBroken(fleet, cluster, judgeWithPools(cluster, poolsOfFleet(pools, subject)).findings).filter(
    ({ code }) => code !== "LT0124"
  )

const isError = ({ severity }: Finding): boolean => severity === "error"

/** What is said of an object whose change is held: which objects it would break, and how. */
export const heldFindings = (ref: ObjectRef, broken: ReadonlyArray<Finding>): ReadonlyArray<Finding> => {
  const key = objectKey(ref)
  const others = broken.filter(({ object }) => objectKey(object) !== key)
  return [
    ...broken.filter(({ object }) => objectKey(object) === key),
    finding("LT0142", {
      object: ref,
      expected: "a change that leaves every object in effect valid",
      found:
        others.length === 0
          ? "the errors beside this"
          : others.map(({ code, message }) => `${code} ${message}`).join("; ")
    })
  ]
}
