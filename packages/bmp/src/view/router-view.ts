import { decodeBody, extendedMessageBytesMax, takeFrame } from "@lowtide/bgp/wire/message"
import { notificationName } from "@lowtide/bgp/wire/notification"
import { type BgpUpdate, effectOf, endOfRibFamily, findAttribute } from "@lowtide/bgp/wire/update"
import { type Family, formatIpAddress, type IpAddress, type Prefix } from "@lowtide/net"
import { Result } from "effect"
import type { BmpMessage, PeerDown, PeerUp, RouteMonitoring } from "../wire/message.ts"
import { type PeerHeader, peerTypes, type RibView } from "../wire/peer-header.ts"
import { tlvText } from "../wire/tlv.ts"
import { type RouteBudget, RouteTable } from "./route-table.ts"
import { noTerms, type SessionTerms, termsOf, updateContext } from "./session-context.ts"

/** Bounds of what is kept of one router. */
export interface ViewLimits {
  /** Routes of all its tables together. */
  readonly routesMax: number
  /** Sessions that it reports, the Loc-RIB among them. */
  readonly peersMax: number
  /** Whether routes to the prefix are kept; others are passed over. */
  readonly isWanted: (prefix: Prefix) => boolean
}

/** One table of one session as the router tells it. */
export interface ViewOfPeer {
  readonly table: RouteTable
  /** When the router first spoke of it on this connection. */
  readonly sinceMs: number
  /** Families whose first table is whole: End-of-RIB came. */
  readonly endOfRib: Set<Family>
  /** Routes were passed over for want of room, or could not be read: that one is not in the table says nothing. */
  doubt: string | undefined
  /**
   * It takes back what it never told, and tells nothing: FRR's view before policy where the neighbour has no
   * `soft-reconfiguration inbound`. It says nothing at all.
   */
  isHollow: boolean
  hasHadRoutes: boolean
}

/** One session of the router, or its Loc-RIB. */
export interface ReportedPeer {
  readonly peerType: number
  readonly distinguisher: bigint
  readonly address: string
  readonly asn: number
  readonly routerId: string
  /** The router's own end; undefined where no Peer Up told it. */
  readonly localAddress: string | undefined
  readonly terms: SessionTerms
  /** Up since, by the station's clock; undefined while it is down. */
  readonly upSinceMs: number | undefined
  readonly down: { readonly atMs: number; readonly reason: string } | undefined
  readonly views: Map<RibView, ViewOfPeer>
}

/** What a message changed, for a record of it. */
export type ViewChange =
  | {
      readonly _tag: "RouteAdded" | "RouteGone"
      readonly peer: ReportedPeer
      readonly view: RibView
      readonly prefix: Prefix
      readonly nextHop: string | undefined
      /** The table that a connection or session begins with is being told. */
      readonly isFromDump: boolean
    }
  | { readonly _tag: "PeerUp"; readonly peer: ReportedPeer }
  | { readonly _tag: "PeerDown"; readonly peer: ReportedPeer; readonly reason: string }
  /** Something was passed over: told once a table. */
  | { readonly _tag: "Doubt"; readonly peer: ReportedPeer; readonly view: RibView | undefined; readonly reason: string }

/** Without an End-of-RIB, which not every router sends, the first table counts as whole after so long. */
export const settleMs = 30_000

/** All that one router has told on one BMP connection: its sessions and their tables (RFC 7854 §5). */
export class RouterView {
  readonly #limits: ViewLimits
  readonly #budget: RouteBudget
  readonly #peers = new Map<string, ReportedPeer>()
  /** Those of `#peers` that are a Loc-RIB. */
  readonly #locRibs = new Map<string, ReportedPeer>()
  #peersLeftOut = 0
  name = ""
  description = ""

  constructor(limits: ViewLimits) {
    this.#limits = limits
    this.#budget = { left: limits.routesMax }
  }

  get peers(): ReadonlyArray<ReportedPeer> {
    return [...this.#peers.values()]
  }

  /** Its Loc-RIBs: one, unless it has several instances. */
  get locRibs(): ReadonlyArray<ReportedPeer> {
    return [...this.#locRibs.values()]
  }

  /** Routes that are kept, of all tables. */
  get routes(): number {
    return this.#limits.routesMax - this.#budget.left
  }

  /** Sessions beyond the bound, of which nothing is kept. */
  get peersLeftOut(): number {
    return this.#peersLeftOut
  }

  /** Takes a message into the tables; `nowMs` becomes the time of what it changed. */
  take(message: BmpMessage, nowMs: number): ReadonlyArray<ViewChange> {
    switch (message._tag) {
      case "Initiation":
        for (const tlv of message.information) {
          if (tlv.type === 1) this.description = tlvText(tlv)
          if (tlv.type === 2) this.name = tlvText(tlv)
        }
        return []
      case "PeerUp":
        return this.#peerUp(message, nowMs)
      case "PeerDown":
        return this.#peerDown(message, nowMs)
      case "RouteMonitoring":
        return this.#monitoring(message, nowMs)
      case "StatisticsReport":
      case "RouteMirroring":
      case "Termination":
      case "Unknown":
        return []
    }
  }

  #peerUp(message: PeerUp, nowMs: number): ReadonlyArray<ViewChange> {
    const localAddress = formatIpAddress(message.localAddress)
    const peer = this.#set(message.peer, { localAddress, terms: termsOf(message), upSinceMs: nowMs, down: undefined })
    return peer === undefined ? [] : [{ _tag: "PeerUp", peer }]
  }

  #peerDown(message: PeerDown, nowMs: number): ReadonlyArray<ViewChange> {
    const reason = downReason(message)
    const known = this.#peers.get(peerKey(message.peer))
    const { localAddress = undefined, terms = noTerms } = known ?? {}
    const peer = this.#set(message.peer, { localAddress, terms, upSinceMs: undefined, down: { atMs: nowMs, reason } })
    return peer === undefined ? [] : [{ _tag: "PeerDown", peer, reason }]
  }

  /** A session begins or ends: nothing of the one before is kept. Undefined where there is no room for another. */
  #set(
    header: PeerHeader,
    standing: Pick<ReportedPeer, "localAddress" | "terms" | "upSinceMs" | "down">
  ): ReportedPeer | undefined {
    const key = peerKey(header)
    const known = this.#peers.get(key)
    for (const { table } of known?.views.values() ?? []) table.clear()
    if (known === undefined && this.#peers.size >= this.#limits.peersMax) {
      this.#peersLeftOut++
      return undefined
    }
    const peer: ReportedPeer = {
      peerType: header.peerType,
      distinguisher: header.distinguisher,
      address: formatIpAddress(header.address),
      asn: header.asn,
      routerId: formatIpAddress({ family: 4, value: BigInt(header.routerId) }),
      ...standing,
      views: new Map()
    }
    this.#peers.set(key, peer)
    if (peer.peerType === peerTypes.locRib) this.#locRibs.set(key, peer)
    return peer
  }

  #monitoring({ peer: header, update }: RouteMonitoring, nowMs: number): ReadonlyArray<ViewChange> {
    // GoBGP tells its Loc-RIB without a Peer Up, which RFC 9069 §5.1 asks for.
    const known = this.#peers.get(peerKey(header))
    const begun = { localAddress: undefined, terms: noTerms, upSinceMs: nowMs, down: undefined }
    const peer = known?.upSinceMs !== undefined ? known : this.#set(header, begun)
    if (peer === undefined) return []
    let view = peer.views.get(header.view)
    if (view === undefined) {
      const table = new RouteTable(this.#budget)
      const doubt = header.isFiltered ? "the router tells a part of its table only" : undefined
      view = { table, sinceMs: nowMs, endOfRib: new Set(), doubt, isHollow: false, hasHadRoutes: false }
      peer.views.set(header.view, view)
    }
    const decoded = decodeUpdatePdu(update, header, peer.terms)
    if (Result.isFailure(decoded))
      return this.#doubt(peer, header.view, view, `an UPDATE in it cannot be read: ${decoded.failure}`)
    return this.#apply(decoded.success, { peer, name: header.view, view, nowMs })
  }

  #apply(
    update: BgpUpdate,
    {
      peer,
      name,
      view,
      nowMs
    }: { readonly peer: ReportedPeer; readonly name: RibView; readonly view: ViewOfPeer; readonly nowMs: number }
  ): ReadonlyArray<ViewChange> {
    const ended = endOfRibFamily(update)
    if (ended !== undefined) {
      view.endOfRib.add(ended)
      return []
    }
    const changes: Array<ViewChange> = []
    const { announced, withdrawn } = effectOf(update)
    for (const prefix of withdrawn) {
      if (!this.#limits.isWanted(prefix)) continue
      const nextHop = view.table.get(prefix)?.nextHop
      const outcome = view.table.withdraw(prefix, nowMs)
      if (outcome === "removed")
        changes.push({ _tag: "RouteGone", peer, view: name, prefix, nextHop, isFromDump: false })
      if (outcome === "unknown" && name === "adj-rib-in-pre" && !view.hasHadRoutes) view.isHollow = true
    }
    const hops = nextHops(update)
    for (const prefix of announced) {
      if (!this.#limits.isWanted(prefix)) continue
      const nextHop = prefix.address.family === 4 ? (hops[4] ?? hops.reach) : hops.reach
      const isFromDump = !isSettled(view, prefix.address.family, nowMs)
      const outcome = view.table.announce(prefix, nextHop, { nowMs, isFromDump })
      if (outcome === "full") {
        const most = `more than ${this.#limits.routesMax} routes of the router, the most that are kept`
        changes.push(...this.#doubt(peer, name, view, most))
        break
      }
      view.hasHadRoutes = true
      view.isHollow = false
      const text = nextHop === undefined ? undefined : formatIpAddress(nextHop)
      if (outcome === "added") changes.push({ _tag: "RouteAdded", peer, view: name, prefix, nextHop: text, isFromDump })
    }
    return changes
  }

  #doubt(peer: ReportedPeer, name: RibView, view: ViewOfPeer, reason: string): ReadonlyArray<ViewChange> {
    const isFirst = view.doubt === undefined
    view.doubt ??= reason
    return isFirst ? [{ _tag: "Doubt", peer, view: name, reason }] : []
  }
}

/** Whether the first table of a family is told: what is missing in it is not there. */
export const isSettled = (view: ViewOfPeer, family: Family, nowMs: number): boolean =>
  view.endOfRib.has(family) || nowMs - view.sinceMs >= settleMs

/** A session is the same by type, distinguisher and address: RFC 7854 §4.2. The Loc-RIB has no address. */
const peerKey = ({ peerType, distinguisher, address }: PeerHeader): string =>
  peerType === peerTypes.locRib
    ? `${peerType} ${distinguisher}`
    : `${peerType} ${distinguisher} ${address.family} ${address.value}`

const decodeUpdatePdu = (
  pdu: Uint8Array,
  header: PeerHeader,
  terms: SessionTerms
): Result.Result<BgpUpdate, string> => {
  const frame = takeFrame(pdu, 0, extendedMessageBytesMax)
  if (frame._tag !== "Frame") return Result.fail(frame._tag === "WireFault" ? frame.reason : "it ends too early")
  const decoded = decodeBody(frame, updateContext(header, terms, frame.body))
  if (Result.isFailure(decoded)) return Result.fail(`${decoded.failure.reason} (${decoded.failure.section})`)
  return decoded.success._tag === "Update" ? Result.succeed(decoded.success) : Result.fail("it is no UPDATE")
}

const nextHops = ({
  attributes
}: BgpUpdate): { readonly 4: IpAddress | undefined; readonly reach: IpAddress | undefined } => {
  const reach = findAttribute(attributes, "MpReachNlri")
  return {
    4: findAttribute(attributes, "NextHop")?.address,
    reach: reach === undefined || reach.family === "other" ? undefined : reach.nextHop
  }
}

/** Why a session is down, in words: RFC 7854 §4.9, RFC 9069 §5.3. */
export const downReason = ({ reason, data }: Pick<PeerDown, "reason" | "data">): string => {
  const code = data[19]
  const subcode = data[20]
  const told = code === undefined || subcode === undefined ? "a NOTIFICATION" : notificationName({ code, subcode })
  switch (reason) {
    case 1:
      return `the router ended it with ${told}`
    case 2:
      return "the router ended it without a NOTIFICATION"
    case 3:
      return `the peer ended it with ${told}`
    case 4:
      return "the peer ended it without a NOTIFICATION"
    case 5:
      return "the router reports it no longer"
    case 6:
      return "the table is no longer there"
    default:
      return `reason ${reason}`
  }
}
