import type { NodeList, NodeView } from "@lowtide/api/nodes"
import type { ListFilter } from "@lowtide/api/parameters"
import { type ClusterMemory, type NodeState, resolveNode } from "@lowtide/domain"
import type { CommittedView } from "../../centre.ts"
import { clustersOf } from "./clusters.ts"
import { brakeOf, findingsOn, refusingOf, silenceOf, unprovenIn, unreadOn, withheldOf } from "./findings.ts"
import { byText, readingOf } from "./reading.ts"
import { currentStatus, syncOf } from "./sync.ts"

/** Nodes that the log knows, the vanished ones too: what they announced they may announce still. */
export const nodeList = (view: CommittedView, filter: ListFilter, nowMs: number): NodeList => ({
  ...readingOf(view),
  reportsSince: view.reportsSince ?? null,
  items: clustersOf(view, filter)
    .flatMap((cluster) => [...cluster.nodes.values()].map((state) => viewOf(view, cluster, state, nowMs)))
    .sort(byText(({ cluster, name }) => `${cluster}\u0000${name}`))
})

const viewOf = (view: CommittedView, cluster: ClusterMemory, state: NodeState, nowMs: number): NodeView => {
  const { name, addresses } = state.node
  const heard = view.nodes.get(`${cluster.name}/${name}`)
  const current = currentStatus(heard, nowMs)
  const intent = resolveNode(view.fleet, cluster, state)
  return {
    cluster: cluster.name,
    name,
    present: state.present,
    retired: state.retired === true,
    addresses,
    excluded: intent.excluded,
    sessions: {
      up: current?.sessions.filter((session) => session.state === "Established").length ?? 0,
      total: intent.peers.length
    },
    announcing: current?.announcing.length ?? 0,
    brake: current?.brake ?? null,
    withheld: current?.withheld ?? null,
    sync: syncOf(heard, nowMs),
    lastHeard: heard === undefined || heard.isReported === true ? null : new Date(heard.heardAtMs).toISOString(),
    refused: heard?.status.refused ?? [],
    findings: [
      ...findingsOn(cluster, { kind: "Node", name }),
      ...silenceOf(state, heard, nowMs),
      ...brakeOf(state, current),
      ...withheldOf(state, current),
      ...refusingOf(cluster, state, current),
      ...unreadOn(view, cluster, name, nowMs),
      ...(view.unproven?.(nowMs) ?? []).flatMap((said) => (said.node === name ? unprovenIn(cluster, said) : []))
    ]
  }
}
