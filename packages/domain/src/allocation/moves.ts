import { resolveVip } from "../announcing/resolve.ts"
import { familyOf } from "../config/canonical.ts"
import { type Finding, finding, rangesWithin } from "../config/index.ts"
import type { FinishMoves } from "../fleet/command.ts"
import type { Draft } from "../fleet/draft.ts"
import type { ClusterMemory, Fleet } from "../fleet/fleet.ts"
import type { VipState } from "../fleet/stream.ts"
import { release } from "./settle.ts"

/** What a node's newest status says of what it announces. */
export interface NodeWord {
  readonly announcing: ReadonlyArray<string>
  /** Addresses that one of its sessions at least has yet to be told of. */
  readonly untold: ReadonlyArray<string>
  /** It is too old to go by. */
  readonly isSilent: boolean
}

/** One address that a Service is leaving for another. */
export type Move = FinishMoves["moves"][number]

/**
 * The addresses of the cluster that Services have given up and that are announced no longer than they have to be: every node
 * that announces one announces by now, or never will, what took its place. What is not known of a node holds a move back.
 */
export const finishedMoves = (
  fleet: Fleet,
  cluster: ClusterMemory,
  {
    obligedOf,
    heard
  }: {
    readonly obligedOf: (cluster: string, address: string) => ReadonlyArray<string>
    readonly heard: (node: string) => NodeWord | undefined
  }
): ReadonlyArray<Move> =>
  [...cluster.movingOf].flatMap(([key, addresses]) => {
    const [namespace = "", name = ""] = key.split("/")
    return addresses.flatMap((address) => {
      const successor = successorOf(cluster, key, address)
      // Of what was taken over after a loss, and has no message yet, the VIP alone says who may announce it.
      const known = fleet.vip(cluster.network, address, cluster.name)?.obliged ?? []
      const nodes = [...new Set([...obligedOf(cluster.name, address), ...known])].filter(
        (node) => cluster.nodes.get(node)?.present === true
      )
      if (successor === undefined) return isHeld(fleet, cluster, address) ? [] : [{ namespace, name, address }]
      const candidates = candidatesOf(fleet, cluster, successor)
      const isOver = isAnnouncedInstead({ address, successor, nodes, heard, candidates })
      return isOver ? [{ namespace, name, address, successor }] : []
    })
  })

/** What the Service has by now of the same IP version. */
const successorOf = (cluster: ClusterMemory, key: string, address: string): string | undefined =>
  cluster.addressesOf.get(key)?.find((other) => familyOf(other) === familyOf(address))

/** Whether a second person is awaited already. */
const isHeld = (fleet: Fleet, cluster: ClusterMemory, address: string): boolean =>
  fleet.vip(cluster.network, address, cluster.name)?.heldRelease !== undefined

const candidatesOf = (fleet: Fleet, cluster: ClusterMemory, address: string): ReadonlyArray<string> => {
  const vip = fleet.vip(cluster.network, address, cluster.name)
  return vip === undefined ? [] : resolveVip(fleet, cluster, vip, []).admission.candidates
}

const isAnnouncedInstead = ({
  address,
  successor,
  nodes,
  heard,
  candidates
}: {
  readonly address: string
  readonly successor: string
  readonly nodes: ReadonlyArray<string>
  readonly heard: (node: string) => NodeWord | undefined
  readonly candidates: ReadonlyArray<string>
}): boolean => {
  const words = nodes.map((node) => ({ node, word: heard(node) }))
  if (words.some(({ word }) => word === undefined)) return false
  const current = words.flatMap(({ node, word }) => (word === undefined || word.isSilent ? [] : [{ node, ...word }]))
  if (current.some((word) => lags(word, { address, successor }) && candidates.includes(word.node))) return false
  if (current.some(({ announcing }) => announcing.includes(successor))) return true
  // Nothing took its place on the wire. It may go where it is not on the wire either, as far as all nodes are heard.
  return current.length === words.length && !current.some(({ announcing }) => announcing.includes(address))
}

/** Whether a node announces the old address and not, on each of its sessions, what takes its place. */
const lags = (
  { announcing, untold }: NodeWord,
  { address, successor }: { readonly address: string; readonly successor: string }
): boolean => announcing.includes(address) && (!announcing.includes(successor) || untold.includes(successor))

/**
 * The nodes for which an address that its holder is leaving waits, as far as they are heard: they announce it, and have yet to
 * announce what takes its place.
 */
export const awaitedByMove = (
  fleet: Fleet,
  cluster: ClusterMemory,
  { address, holders }: Pick<VipState, "address" | "holders">,
  heard: (node: string) => NodeWord | undefined
): ReadonlyArray<string> => {
  const successors = holders.flatMap(({ namespace, name, leaving }) =>
    leaving === true ? (successorOf(cluster, `${namespace}/${name}`, address) ?? []) : []
  )
  const awaited = successors.flatMap((successor) => {
    const candidates = candidatesOf(fleet, cluster, successor)
    return candidates.filter((node) => {
      const word = heard(node)
      return word?.isSilent === false && lags(word, { address, successor })
    })
  })
  return [...new Set(awaited)].sort()
}

/**
 * Why moves of a Service cannot end: no node may announce what is to take the old address's place, or no speaker would,
 * since it lies outside of what the cluster may announce.
 */
export const stuckMoves = (fleet: Fleet, cluster: ClusterMemory, key: string): ReadonlyArray<Finding> => {
  const [namespace = "", name = ""] = key.split("/")
  return (cluster.services.has(key) ? (cluster.movingOf.get(key) ?? []) : []).flatMap((address) => {
    const successor = successorOf(cluster, key, address)
    const why = successor === undefined ? undefined : whyDark(fleet, cluster, successor)
    if (why === undefined) return []
    const object = { kind: "Service", namespace, name }
    const expected = `nodes that announce ${successor}, so that ${address} can go`
    return [finding("LT0221", { object, field: "status.loadBalancer", expected, found: why })]
  })
}

const whyDark = (fleet: Fleet, cluster: ClusterMemory, address: string): string | undefined => {
  const pool = fleet.vip(cluster.network, address, cluster.name)?.pool
  const { allowedPrefixes } = cluster
  if (allowedPrefixes.length > 0 && rangesWithin([`${address}-${address}`], allowedPrefixes).length === 0) {
    return `${address} of pool ${pool} outside of the cluster's allowedPrefixes ${allowedPrefixes.join(", ")}`
  }
  return candidatesOf(fleet, cluster, address).length === 0
    ? `no advertisement of pool ${pool} to a peer that some node has`
    : undefined
}

/**
 * Ends moves. What is no longer given up, or not held any more, is passed over, and so is what has another successor by now
 * than the statuses spoke of.
 */
export const finishMoves = (draft: Draft, { cluster: name, moves }: FinishMoves): void => {
  const cluster = draft.cluster(name)
  if (draft.fleet.isFrozen(cluster)) return
  for (const { namespace, name, address, successor } of moves) {
    const key = `${namespace}/${name}`
    if (cluster.movingOf.get(key)?.includes(address) !== true) continue
    if (successorOf(cluster, key, address) !== successor) continue
    release(draft, cluster, key, address, successor === undefined ? "address-no-longer-wanted" : "moved")
  }
}
