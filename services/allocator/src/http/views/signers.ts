import type { LedgerAnswer } from "@lowtide/api/ledger"
import { isCandidate, obligedIn } from "@lowtide/domain"
import type { CommittedView } from "../../centre.ts"
import { byText } from "./reading.ts"

type View = Pick<CommittedView, "fleet" | "nodes">

/**
 * What rests on each key: messages in effect, and nodes that announce by it as they say themselves. After a loss of history
 * nodes go on with what the centre has no word of, signed by a key that may have no message any more.
 */
export const signersOf = (view: View, messages: ReadonlyMap<string, number>): LedgerAnswer["signers"] => {
  const nodes = new Map<string, number>()
  for (const { status } of view.nodes.values()) {
    if (isRetired(view, status.cluster, status.node)) continue
    for (const keyId of new Set(status.signers)) nodes.set(keyId, (nodes.get(keyId) ?? 0) + 1)
  }
  return [...new Set([...messages.keys(), ...nodes.keys()])]
    .sort()
    .map((keyId) => ({ keyId, messages: messages.get(keyId) ?? 0, nodes: nodes.get(keyId) ?? 0 }))
}

/**
 * Nodes that may announce and have not said by which keys: they were not heard, or their speaker is of an older release. What
 * a node had before a loss of history says no configuration: while it is merged any node may have something, and afterwards
 * each that a person had the recovery go on without.
 */
export const untoldSigners = (view: View): LedgerAnswer["signersUntold"] => {
  const { fleet, nodes } = view
  const asked = new Map(
    [...nodes].map(
      ([
        name,
        {
          status: { cluster, node }
        }
      ]) => [name, { cluster, node }]
    )
  )
  const missed = new Set(fleet.recovery?.without)
  for (const who of missed) {
    const [, cluster = "", node] = /^node ([^/]+)\/(.+)$/.exec(who) ?? []
    if (node !== undefined) asked.set(`${cluster}/${node}`, { cluster, node })
  }
  for (const cluster of fleet.clusters.values()) {
    const mayHold = [...cluster.nodes.values()].filter(
      ({ node, present }) =>
        missed.has(`node ${cluster.name}/${node.name}`) ||
        (present && (fleet.isFrozen(cluster) || isCandidate(fleet, cluster, node)))
    )
    const obliged = obligedIn(fleet, cluster.name)
    for (const node of [...mayHold.map(({ node }) => node.name), ...obliged])
      asked.set(`${cluster.name}/${node}`, { cluster: cluster.name, node })
  }
  return [...asked]
    .filter(([name, { cluster, node }]) => {
      return nodes.get(name)?.status.signers === undefined && !isRetired(view, cluster, node)
    })
    .map(([, { cluster, node }]) => ({ cluster, node }))
    .sort(byText(({ cluster, node }) => `${cluster}\u0000${node}`))
}

/** A person said that it announces nothing any more. */
const isRetired = ({ fleet }: View, cluster: string, node: string): boolean =>
  fleet.clusters.get(cluster)?.nodes.get(node)?.retired === true
