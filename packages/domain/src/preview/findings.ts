import {
  type AddressPool,
  type Backend,
  type FaultyObject,
  type Finding,
  judge,
  judgeFaulty,
  type Locate,
  objectKey,
  type RawObject,
  type Source
} from "../config/index.ts"
import type { Observation } from "../fleet/observation.ts"

/** One cluster's objects as they were read, and what was wrong with reading them. */
export interface ClusterInput {
  readonly name: string
  /** In the order in which they stand in their files. */
  readonly observations: ReadonlyArray<Observation>
  readonly findings: ReadonlyArray<Finding>
  /** Objects that have errors, as far as they could be read. */
  readonly faulty?: ReadonlyArray<FaultyObject>
  /** Where a field of one of the objects stands, for findings that arise later. */
  readonly locate?: (objectKey: string, field: string) => Source | undefined
}

/** An object of the whole fleet that stands in the files, and where its fields stand. */
export interface FleetInput {
  readonly object: RawObject
  readonly locate: Locate
}

/** What is wrong with the objects each by itself, and with all of them together, beside the fleet's pools. */
export const judgedFindings = (
  cluster: ClusterInput,
  options: { readonly backend: Backend; readonly fleetPools: ReadonlyArray<AddressPool> }
): ReadonlyArray<Finding> => {
  const objects = cluster.observations.map(({ object }) => object)
  const judged = [...judge(objects, options).findings, ...judgeFaulty(objects, cluster.faulty ?? [], options)]
  return [...cluster.findings, ...judged.map((found) => located(cluster, found))]
}

/** The finding with the place of its field, where that is known. */
export const located = ({ locate }: ClusterInput, found: Finding): Finding => {
  const source = locate?.(objectKey(found.object), found.field)
  return source === undefined ? found : { ...found, source }
}

/** Errors before warnings, then by place in the files, then by object, field and code. */
export const inOrder = (findings: ReadonlyArray<Finding>): ReadonlyArray<Finding> =>
  findings.toSorted(
    (left, right) =>
      compare(left.severity, right.severity) ||
      compare(left.source?.file ?? "", right.source?.file ?? "") ||
      (left.source?.line ?? 0) - (right.source?.line ?? 0) ||
      compare(keyOf(left), keyOf(right))
  )

const keyOf = ({ object, field, code }: Finding): string =>
  `${object.kind}/${object.namespace ?? ""}/${object.name} ${field} ${code}`

const compare = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0)
