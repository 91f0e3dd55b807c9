import { finding, type ObjectRef, rawRef } from "../config/index.ts"
import type { ObserveInventory } from "./command.ts"
import { deleteManifest, isOfRegistration, reportedOn, reportFindings } from "./configure.ts"
import type { Draft } from "./draft.ts"
import type { ClusterMemory } from "./fleet.ts"
import { forgetNamespace, forgetNode, forgetService } from "./observe.ts"

/**
 * What the log has beyond a complete read is gone. A kind of which nothing at all is left is not believed: nothing of it
 * is deleted, and a finding on the cluster says so until it is there again or deleted piece by piece. What came into the log
 * after the read is none of its business (ADR 67): it may be late, or of an agent that another one has followed.
 */
export const observeInventory = (draft: Draft, cluster: ClusterMemory, inventory: ObserveInventory): void => {
  if (isOfEarlierIncarnation(draft, inventory)) return
  const kinds = inventoryKinds(draft, cluster, inventory)
  const doubted = kinds.filter(({ known, listed }) => listed.length === 0 && known.length > 0)
  for (const { known, listed, forget } of kinds.filter((kind) => !doubted.includes(kind))) {
    const present = new Set(listed)
    for (const key of known) if (!present.has(key)) forget(key)
  }
  const ref: ObjectRef = { kind: "Cluster", name: cluster.name }
  reportFindings(
    draft,
    cluster,
    ref,
    "centre",
    doubted.map(({ kind, known }) =>
      finding("LT0504", {
        object: ref,
        field: kind,
        expected: `some of the ${known.length} ${kind} known`,
        found: "none"
      })
    )
  )
  const reported = new Set(inventory.findings)
  for (const [key, { object, reportedCount }] of [...cluster.findings]) {
    if (reportedCount === 0 || reported.has(key) || isLater(draft, inventory, `findings:${cluster.name}/${key}`))
      continue
    // What is wrong with how the cluster registers is said by RegisterCluster, which knows when it is over.
    const standing = object.kind === "Cluster" ? reportedOn(cluster, object).filter(isOfRegistration) : []
    reportFindings(draft, cluster, object, "agent", standing)
  }
}

/** Whether it was read before history was lost: what the log has since then may be what it lacks. */
const isOfEarlierIncarnation = ({ context }: Draft, { asOf }: ObserveInventory): boolean =>
  asOf !== undefined && context.log !== undefined && asOf.incarnation !== context.log.incarnation

/** Whether what is newest of a stream may have come after the read. */
const isLater = ({ context }: Draft, { asOf }: ObserveInventory, stream: string): boolean =>
  asOf !== undefined &&
  context.log !== undefined &&
  !((context.log.seqOf(stream) ?? Number.POSITIVE_INFINITY) <= asOf.seq)

interface InventoryKind {
  readonly kind: string
  /** What the log had of it when it was read. */
  readonly known: ReadonlyArray<string>
  readonly listed: ReadonlyArray<string>
  readonly forget: (key: string) => void
}

const inventoryKinds = (
  draft: Draft,
  cluster: ClusterMemory,
  inventory: ObserveInventory
): ReadonlyArray<InventoryKind> => {
  const presentNodes = [...cluster.nodes].filter(([, { present }]) => present).map(([name]) => name)
  const earlier = (kind: string, keys: ReadonlyArray<string>) =>
    keys.filter((key) => !isLater(draft, inventory, `${kind}:${cluster.name}/${key}`))
  const { manifests, retired, waiting } = cluster
  const inEffect = [...manifests.keys()].filter((key) => !retired.has(key))
  return [
    {
      kind: "services",
      known: earlier("service", [...cluster.services.keys()]),
      listed: inventory.services,
      forget: (key) => forgetService(draft, cluster, key)
    },
    ...manifestKinds(draft, cluster, inventory.manifests, [
      ...earlier("manifest", inEffect).filter((key) => !waiting.has(key)),
      // Its newest version may be one that waits, beside another in effect.
      ...earlier("findings", [...waiting])
    ]),
    {
      kind: "nodes",
      known: earlier("node", presentNodes),
      listed: inventory.nodes,
      forget: (name) => forgetNode(draft, cluster, name)
    },
    {
      kind: "namespaces",
      known: earlier("namespace", [...cluster.namespaces.keys()]),
      listed: inventory.namespaces,
      forget: (name) => forgetNamespace(draft, cluster, name)
    }
  ]
}
/** Each kind of configuration is one of its own: a source that may not read Advertisements alone would take every route. */
const manifestKinds = (
  draft: Draft,
  cluster: ClusterMemory,
  listed: ReadonlyArray<string>,
  known: ReadonlyArray<string>
): ReadonlyArray<InventoryKind> =>
  [...new Set(known.map(kindOf))].map((kind) => ({
    kind,
    known: known.filter((key) => kindOf(key) === kind),
    listed: listed.filter((key) => kindOf(key) === kind),
    forget: (key) => deleteByKey(draft, cluster, key)
  }))

const kindOf = (key: string): string => key.slice(0, key.indexOf("/"))

const deleteByKey = (draft: Draft, cluster: ClusterMemory, key: string): void => {
  const manifest = cluster.manifests.get(key)?.manifest ?? cluster.findings.get(key)?.held
  if (manifest !== undefined) deleteManifest(draft, cluster, rawRef(manifest))
}
