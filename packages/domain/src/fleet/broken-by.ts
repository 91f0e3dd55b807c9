import { type Finding, finding, type ObjectRef, objectKey } from "../config/index.ts"
import type { ClusterMemory } from "./fleet.ts"
import { judgeCluster, judgeWith } from "./judged.ts"
import type { ManifestState } from "./stream.ts"

/**
 * The errors that a change of one object would bring to objects that are in effect now: to itself, if it was there before,
 * and to others that rest on it. Such a change would take routes along with a slip of the pen, so it is not carried out.
 */
export const brokenBy = (
  cluster: ClusterMemory,
  ref: ObjectRef,
  changed: ManifestState | undefined
): ReadonlyArray<Finding> => {
  const key = objectKey(ref)
  const isNew = !cluster.manifests.has(key)
  const brokenNow = new Set(
    judgeCluster(cluster)
      .findings.filter(isError)
      .map(({ object }) => objectKey(object))
  )
  return judgeWith(cluster, key, changed).findings.filter((found) => {
    const broken = objectKey(found.object)
    return isError(found) && !brokenNow.has(broken) && !(isNew && broken === key)
  })
}

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
