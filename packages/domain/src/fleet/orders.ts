import { noteConfirmed, quarantine, retireFrom } from "../allocation/settle.ts"
import { finding } from "../config/index.ts"
import type { ReleaseBrake } from "./command.ts"
import { awaitedNodes, type Draft } from "./draft.ts"
import { streamOf } from "./stream.ts"

/**
 * Takes a node as confirmed for everything that it was obliged to until now. Only one whose Node object is gone: one that
 * is there is a candidate, and obliged again by the next intent.
 */
export const retireNode = (draft: Draft, clusterName: string, name: string): void => {
  const cluster = draft.fleet.clusters.get(clusterName)
  const before = cluster?.nodes.get(name)
  const object = { kind: "Node", name: `${clusterName}/${name}` }
  if (cluster === undefined || before === undefined) {
    return draft.refuse(
      finding("LT0604", { object, expected: "a node that the log knows", found: "none of that name" })
    )
  }
  if (before.present) {
    return draft.refuse(
      finding("LT0605", { object, expected: "a node whose Node object is gone", found: "its Node object" })
    )
  }
  if (before.retired === true) return
  draft.emit({
    stream: streamOf.node(clusterName, name),
    type: "NodeRetired",
    reason: "node-retired",
    before,
    after: { ...before, retired: true },
    about: { cluster: clusterName }
  })
  for (const stream of [...cluster.vips]) {
    const vip = draft.fleet.vips.get(stream)
    if (vip !== undefined) retireFrom(draft, cluster, vip, name)
  }
}

/**
 * Has everything that a cluster is told said again as an order, so that speakers' brakes let it through. What they hold
 * is theirs to know: an order that finds nothing held changes no route.
 */
export const releaseBrake = (draft: Draft, { cluster: name, node }: ReleaseBrake): void => {
  const cluster = draft.fleet.clusters.get(name)
  if (cluster === undefined) {
    const known = [...draft.fleet.clusters.keys()].sort().join(", ")
    const object = { kind: "Cluster", name }
    return draft.refuse(finding("LT0604", { object, expected: `one of the clusters [${known}]`, found: name }))
  }
  if (node !== undefined && !cluster.nodes.has(node)) {
    const object = { kind: "Node", name: `${name}/${node}` }
    return draft.refuse(
      finding("LT0604", { object, expected: "a node that the log knows", found: "none of that name" })
    )
  }
  draft.emit({
    stream: streamOf.brake(name),
    type: "BrakeReleased",
    reason: "brake-released",
    before: draft.fleet.brakes.get(name) ?? null,
    after: { _tag: "Brake", cluster: name, node: node ?? null },
    about: { cluster: name }
  })
}

/**
 * Ends a withdrawal that nobody confirms. An address that rests already, or is free, is as it is ordered to be. Who had
 * confirmed is noted before, so that the event names those alone for whom the person answers.
 */
export const forceRelease = (draft: Draft, network: string, address: string): void => {
  const vips = draft.fleet.vipsAt(network, address)
  const withdrawing = vips.filter(({ phase }) => phase === "withdrawing")
  const held = vips.filter(({ phase }) => phase === "assigned")
  const object = { kind: "VIP", name: `${network}/${address}` }
  if (vips.length === 0) {
    return draft.refuse(
      finding("LT0604", { object, expected: "an address that was given out", found: "one that never was" })
    )
  }
  if (withdrawing.length === 0 && held.length > 0) {
    const holders = held.flatMap(({ cluster, holders }) =>
      holders.map(({ namespace, name }) => `${cluster}/${namespace}/${name}`)
    )
    const found = `held by ${holders.join(", ")}`
    return draft.refuse(finding("LT0606", { object, expected: "an address that is being withdrawn", found }))
  }
  for (const vip of withdrawing) {
    const cluster = draft.cluster(vip.cluster)
    if (awaitedNodes(draft.context, vip).length === 0) {
      quarantine(draft, cluster, address)
    } else {
      noteConfirmed(draft, cluster, vip)
      quarantine(draft, cluster, address, ["VipForceReleased", "force-released"])
    }
  }
}
