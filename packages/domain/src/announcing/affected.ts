import { type Advertisement, type ObjectRef, objectKey, rawRef } from "../config/index.ts"
import type { DomainEvent } from "../fleet/event.ts"
import { type ClusterMemory, type Fleet, isReserved } from "../fleet/fleet.ts"
import { type FindingsState, type ManifestState, streamOf, streamOfVip, type VipState } from "../fleet/stream.ts"
import { type Content, resolveGoneService, resolveNode, resolveObject, resolveService, resolveVip } from "./resolve.ts"
import { messageKey, vipKey } from "./subject.ts"

/** A message that an event may have changed, with that event's place in its batch. */
export interface AffectedContent {
  readonly content: Content
  readonly eventIndex: number
  /** What it withdraws, where it says something new, was ordered by this event. */
  readonly massWithdraw?: MassWithdrawal
  /** By order of this event it is said even where it says nothing new. */
  readonly again?: MassWithdrawal
}

/**
 * The messages that a batch of events, already applied, may have changed. Each is resolved once, from the state after
 * the last event, and put down to the last event that touches it. Whether it did change is for the caller to compare.
 */
export const affectedContents = (
  fleet: Fleet,
  events: ReadonlyArray<DomainEvent>,
  obligedOf: (cluster: string, address: string) => ReadonlyArray<string>,
  /** What of a cluster that is published anew is so by one such event; missing: all of it. */
  anew: (cluster: string) => Iterable<PublishedSubject> = (cluster) => publishedSubjects(fleet, fleet.cluster(cluster))
): ReadonlyArray<AffectedContent> => {
  const touched = new Touched()
  for (const [index, event] of events.entries()) touch(fleet, touched, event, index, anew)
  const contents: ReadonlyArray<AffectedContent> = [
    ...entries(touched.nodes, (stream) => {
      const [clusterName = "", name = ""] = tail(stream)
      const cluster = fleet.cluster(clusterName)
      const node = cluster.nodes.get(name)
      return node === undefined ? undefined : resolveNode(fleet, cluster, node)
    }),
    ...entries(touched.vips, (stream) => {
      const vip = fleet.vips.get(stream)
      if (vip === undefined) return undefined
      // A cluster has one word to say of an address: not of a part that it had once, beside the one that it has.
      const current = fleet.vip(vip.network, vip.address, vip.cluster)
      if (vip.phase === "free" && current !== undefined && current.phase !== "free") return undefined
      // What speakers hold of a VIP that was taken over stays in effect until its Services are seen, or it is released.
      const cluster = fleet.cluster(vip.cluster)
      if (isReserved(cluster, vip)) return undefined
      return resolveVip(fleet, cluster, vip, obligedOf(vip.cluster, vip.address))
    }),
    // Before the Services that are there: one may have taken the place of one that is gone, and comes last then.
    ...entries(touched.servicesGone, (_key, index) => {
      const gone = events[index]?.before
      if (gone?._tag !== "Service") return undefined
      const { namespace, name, uid } = gone.service
      const present = fleet.cluster(gone.cluster).services.get(`${namespace}/${name}`)
      return present?.service.uid === uid ? undefined : resolveGoneService(gone)
    }),
    ...entries(touched.services, (stream) => {
      const cluster = fleet.cluster(tail(stream)[0] ?? "")
      const service = cluster.services.get(stream.slice(stream.indexOf("/") + 1))
      return service === undefined ? undefined : resolveService(fleet, cluster, service)
    }),
    ...[...touched.objects.values()].map(({ cluster, ref, eventIndex }) => ({
      content: resolveObject(fleet.cluster(cluster), ref),
      eventIndex
    }))
  ]
  const orders = massWithdrawals(events)
  return orders.length === 0 ? contents : contents.map((affected) => ordered(affected, orders))
}

/** An order to withdraw however much it is: of one address, or of a cluster or some nodes of it. */
export interface MassWithdrawal {
  readonly eventIndex: number
  readonly cluster: string
  readonly address?: string
  readonly nodes?: ReadonlyArray<string>
  /** Of what says something new alone: what it does not change is not said again. */
  readonly changesOnly?: true
}

/** Whether it is an order for all of a cluster, which has even that said which is left unsaid otherwise (ADR 65). */
export const isForWholeCluster = ({ address, nodes, changesOnly }: MassWithdrawal): boolean =>
  address === undefined && nodes === undefined && changesOnly === undefined

const massWithdrawals = (events: ReadonlyArray<DomainEvent>): ReadonlyArray<MassWithdrawal> =>
  events.flatMap(({ type, reason, after, about }, eventIndex): ReadonlyArray<MassWithdrawal> => {
    if (type === "BrakeReleased" && after?._tag === "Brake") {
      const { cluster, node } = after
      return [{ eventIndex, cluster, ...(node === null ? {} : { nodes: [node] }) }]
    }
    if (type === "VersionDropped" && reason === "approved") {
      return about.cluster === undefined ? [] : [{ eventIndex, cluster: about.cluster, changesOnly: true }]
    }
    // Who answers for it that an address is announced nowhere, or approved that, wants it held back nowhere. Of a move
    // nothing is lost: what took the place of the address is on the wire.
    const isOrdered =
      type === "VipForceReleased" || (type === "VipReleased" && (reason === "approved" || reason === "moved"))
    if (isOrdered && after?._tag === "Vip") {
      return [{ eventIndex, cluster: after.cluster, address: after.address }]
    }
    return []
  })

const ordered = (affected: AffectedContent, orders: ReadonlyArray<MassWithdrawal>): AffectedContent => {
  const { content } = affected
  const fitting = orders.filter(({ cluster, address, nodes }) => {
    if (cluster !== content.cluster) return false
    if (content._tag === "VipIntent") return address === undefined || address === content.address
    return content._tag === "NodeIntent" && address === undefined && (nodes ?? [content.node]).includes(content.node)
  })
  return { ...affected, ...joined(fitting) }
}

/**
 * What the orders of one batch come to for one message: one for all nodes is not made less, also not one of what changes alone,
 * and of several nodes each is meant.
 */
const joined = (orders: ReadonlyArray<MassWithdrawal>): Pick<AffectedContent, "massWithdraw" | "again"> => {
  const forAll =
    orders.findLast(isForWholeCluster) ??
    orders.findLast(({ nodes, changesOnly }) => nodes === undefined && changesOnly === undefined)
  if (forAll !== undefined) return { massWithdraw: forAll, again: forAll }
  const ofChanges = orders.findLast(({ changesOnly }) => changesOnly === true)
  const forNodes = orders.filter(({ nodes }) => nodes !== undefined)
  const last = forNodes.at(-1)
  if (last === undefined) return ofChanges === undefined ? {} : { massWithdraw: ofChanges }
  const again = { ...last, nodes: [...new Set(forNodes.flatMap(({ nodes = [] }) => nodes))] }
  return { massWithdraw: ofChanges ?? again, again }
}

/** Streams of which a message is to be resolved anew, with the index of the last event that says so. */
class Touched {
  readonly nodes = new Map<string, number>()
  readonly vips = new Map<string, number>()
  readonly services = new Map<string, number>()
  /** By cluster and uid, which names a Service's message: the same stream may hold one Service after another. */
  readonly servicesGone = new Map<string, number>()
  /** By cluster and object: configuration, and what has findings. */
  readonly objects = new Map<
    string,
    { readonly cluster: string; readonly ref: ObjectRef; readonly eventIndex: number }
  >()
}

const touch = (
  fleet: Fleet,
  touched: Touched,
  event: DomainEvent,
  index: number,
  anew: (cluster: string) => Iterable<PublishedSubject>
): void => {
  const state = event.after ?? event.before
  if (state === null) return
  switch (state._tag) {
    case "Vip": {
      touched.vips.set(event.stream, index)
      if (fleet.recovery !== undefined) touchReleased(touched, event, index)
      return touchHolders(touched, event, index)
    }
    case "Service":
      touched.services.set(event.stream, index)
      touchGone(touched, event, index)
      return touchVipsOf(fleet, touched, state.cluster, `${state.service.namespace}/${state.service.name}`, index)
    case "Node":
      touched.nodes.set(event.stream, index)
      return touchCluster(fleet, touched, state.cluster, index)
    case "Manifest":
      touchObject(touched, state, index)
      return touchCluster(fleet, touched, state.cluster, index)
    case "Findings":
      return touchObject(touched, state, index)
    case "Cluster":
      // Its labels decide which of the fleet's pools it has.
      return event.type === "ClusterRepublished"
        ? touchSubjects(touched, state.cluster, anew(state.cluster), index)
        : touchCluster(fleet, touched, state.cluster, index)
    case "AddressPool":
      for (const { name } of fleet.clusters.values()) touchCluster(fleet, touched, name, index)
      return
    case "Brake":
      return touchCluster(fleet, touched, state.cluster, index)
    case "SharedAddress": // priorities
      for (const side of [event.before, event.after]) {
        if (side?._tag !== "SharedAddress") continue
        for (const address of side.shared.addresses) {
          for (const vip of fleet.vipsAt(side.shared.network, address)) {
            if (vip.phase !== "free") touched.vips.set(streamOfVip(vip), index)
          }
        }
      }
      return
    case "Kept":
      return touchCluster(fleet, touched, state.cluster, index)
    case "FleetVersion": // peers, attributes of routes and whose they are, which speakers could not be told of before
      for (const cluster of fleet.clusters.values()) {
        const { name, nodes, vips } = cluster
        for (const node of nodes.keys()) touched.nodes.set(streamOf.node(name, node), index)
        const { advertisements } = fleet.announced(cluster)
        const isNew = ({ med, asPathPrepend, serviceSelectors }: Advertisement): boolean =>
          (med ?? asPathPrepend) !== undefined || serviceSelectors.length > 0
        if (advertisements.some(isNew)) for (const stream of vips) touched.vips.set(stream, index)
      }
      return
    case "FleetSettings":
    case "Approval":
    case "RoutesTaken":
    case "Namespace":
    case "Recovery":
    case "Reservation":
    case "Quota":
    case "Export":
    case "WireSeal":
    case "WireDrop":
    case "Segment":
      return
  }
}

const touchObject = (touched: Touched, state: FindingsState | ManifestState, eventIndex: number): void => {
  const { cluster } = state
  const ref = refOf(state)
  touched.objects.set(`${cluster}/${objectKey(ref)}`, { cluster, ref, eventIndex })
}

const refOf = (state: FindingsState | ManifestState): ObjectRef =>
  state._tag === "Findings" ? state.object : rawRef(state.manifest)

/** A node that kept a session for what it announced by no message, of which it is free now (ADR 65). */
const touchReleased = (touched: Touched, { before, after }: DomainEvent, index: number): void => {
  if (before?._tag !== "Vip") return
  const obliged = after?._tag === "Vip" ? after.obliged : []
  for (const node of before.obliged) {
    if (!obliged.includes(node)) touched.nodes.set(streamOf.node(before.cluster, node), index)
  }
}

const touchHolders = (touched: Touched, event: DomainEvent, index: number): void => {
  for (const state of [event.before, event.after] as ReadonlyArray<VipState | null>) {
    for (const { namespace, name } of state?.holders ?? []) {
      touched.services.set(streamOf.service(state?.cluster ?? "", namespace, name), index)
    }
  }
}

/** A Service is gone when its stream ends, and when another takes its name. */
const touchGone = (touched: Touched, { before, after }: DomainEvent, index: number): void => {
  if (before?._tag !== "Service") return
  const { uid } = before.service
  if (after?._tag === "Service" && after.service.uid === uid) return
  touched.servicesGone.set(`${before.cluster}/${uid}`, index)
}

const touchVipsOf = (fleet: Fleet, touched: Touched, clusterName: string, service: string, index: number): void => {
  const cluster = fleet.cluster(clusterName)
  for (const address of [...(cluster.addressesOf.get(service) ?? []), ...(cluster.movingOf.get(service) ?? [])]) {
    const vip = fleet.vip(cluster.network, address, clusterName)
    if (vip !== undefined) touched.vips.set(streamOfVip(vip), index)
  }
}

/** Configuration and nodes decide about every VIP and every node of their cluster. */
const touchCluster = (fleet: Fleet, touched: Touched, clusterName: string, index: number): void => {
  const cluster = fleet.cluster(clusterName)
  for (const stream of cluster.vips) touched.vips.set(stream, index)
  for (const name of cluster.nodes.keys()) touched.nodes.set(streamOf.node(clusterName, name), index)
}

/** What a cluster has a message of, with the message's key. */
export type PublishedSubject = { readonly key: string } & (
  | { readonly _tag: "Node" | "Vip" | "Service"; readonly stream: string }
  | { readonly _tag: "Object"; readonly ref: ObjectRef }
)

/**
 * Everything of a cluster that is published. Free addresses have been withdrawn for good; of what was taken over, and its
 * Service not seen, speakers keep what they hold.
 */
export const publishedSubjects = function* (fleet: Fleet, cluster: ClusterMemory): Iterable<PublishedSubject> {
  for (const stream of cluster.vips) {
    const vip = fleet.vips.get(stream)
    if (vip === undefined || isReserved(cluster, vip)) continue
    yield { _tag: "Vip", stream, key: vipKey(vip.address) }
  }
  for (const node of cluster.nodes.keys()) {
    yield { _tag: "Node", stream: streamOf.node(cluster.name, node), key: messageKey({ _tag: "NodeIntent", node }) }
  }
  for (const [name, { service }] of cluster.services) {
    const stream = `service:${cluster.name}/${name}`
    yield { _tag: "Service", stream, key: messageKey({ _tag: "ServiceAnswer", uid: service.uid }) }
  }
  for (const state of [...cluster.manifests.values(), ...cluster.findings.values()]) {
    const ref = refOf(state)
    const object = { kind: ref.kind, namespace: ref.namespace ?? "", name: ref.name }
    yield { _tag: "Object", ref, key: messageKey({ _tag: "ObjectFindings", object }) }
  }
}

const touchSubjects = (
  touched: Touched,
  cluster: string,
  subjects: Iterable<PublishedSubject>,
  eventIndex: number
): void => {
  for (const subject of subjects) {
    switch (subject._tag) {
      case "Vip":
        touched.vips.set(subject.stream, eventIndex)
        continue
      case "Node":
        touched.nodes.set(subject.stream, eventIndex)
        continue
      case "Service":
        touched.services.set(subject.stream, eventIndex)
        continue
      case "Object":
        touched.objects.set(`${cluster}/${objectKey(subject.ref)}`, { cluster, ref: subject.ref, eventIndex })
    }
  }
}

const entries = (
  touched: ReadonlyMap<string, number>,
  resolve: (stream: string, eventIndex: number) => Content | undefined
): ReadonlyArray<AffectedContent> =>
  [...touched].flatMap(([stream, eventIndex]) => {
    const content = resolve(stream, eventIndex)
    return content === undefined ? [] : [{ content, eventIndex }]
  })

/** The parts of a stream's name after its kind. */
const tail = (stream: string): ReadonlyArray<string> => stream.slice(stream.indexOf(":") + 1).split("/")
