import { evidenceOf, type ReportedPeer, type ReportingRouter, type RouteEvidence, type ViewChange } from "@lowtide/bmp"
import type { Fleet } from "@lowtide/domain"
import { Ledger, type WireRow } from "@lowtide/ledger"
import { formatIpAddress, type Prefix } from "@lowtide/net"
import { Clock, Effect } from "effect"
import type { HeardNode } from "./centre.ts"
import { type LostRouter, RouterReports } from "./router-reports.ts"

/** The kind of the rows that say what routers reported. */
export const routerKind = "router"

/** What a row of it holds: who said what of the row's session, and of its address where it has one. Times are RFC 3339. */
export interface RouterDetail {
  readonly router: string
  readonly change: "has" | "let-go" | "session-up" | "session-down" | "silent"
  readonly at: string
  readonly reason?: string
}

/** Changes are gathered for so long: of what a route was in between nothing is written. */
const gatherMs = 1_000

/** Rows that are written at a time; what is beyond waits for the next time, and is written as it stands then. */
const rowsMax = 1_000

/** A session, or a route of one, of which a router said something new. */
interface Pending {
  readonly router: ReportingRouter
  readonly ends: { readonly nodeAddress: string; readonly routerAddress: string }
  readonly prefix: Prefix | undefined
  /** It reports no more, of the session neither. */
  readonly lost?: Pick<LostRouter, "atMs" | "reason">
}

/** Whose session it is, as nodes tell of them. */
interface Owner {
  readonly cluster: string
  readonly node: string
  readonly peer: string
}

/**
 * Writes into the wire journal what routers say anew of nodes' sessions and of VIPs, and which of them report no more, for as long
 * as it runs: the leader does.
 * What a router has when it begins to tell is no change.
 */
export const keepRouterJournal = (
  fleetOf: () => Fleet,
  nodes: ReadonlyMap<string, HeardNode>
): Effect.Effect<never, never, Ledger> =>
  Effect.gen(function* () {
    const heard = yield* RouterReports
    const ledger = yield* Ledger
    const pending = new Map<string, Pending>()
    const written = new Written()
    yield* Effect.acquireRelease(
      Effect.sync(() =>
        heard.watch(
          (router, changes) => {
            const { networks } = fleetOf()
            const isVip = ({ address }: Prefix) => {
              const text = formatIpAddress(address)
              return [...networks.keys()].some((network) => fleetOf().vipsAt(network, text).length > 0)
            }
            note(pending, { router, changes, isVip })
          },
          (router, lost) => noteLost(pending, router, lost)
        )
      ),
      (stop) => Effect.sync(stop)
    )
    const write = Effect.gen(function* () {
      const nowMs = yield* Clock.currentTimeMillis
      const owners = ownersOf(nodes)
      const taken = [...pending].slice(0, rowsMax)
      const rows = taken.flatMap(([key, change]) => {
        const row = rowOf(change, owners, fleetOf(), nowMs)
        return row !== undefined && written.isNew(key, row.detail) ? { key, row } : []
      })
      if (rows.length > 0) yield* ledger.appendWire(rows.map(({ row }) => row))
      for (const { key, row } of rows) written.note(key, row.detail)
      // What a router says when it reports again is news, though it may be what it said before.
      for (const [, { router, lost }] of taken) if (lost !== undefined) written.forget(router.address)
      for (const [key, change] of taken) if (pending.get(key) === change) pending.delete(key)
    }).pipe(Effect.catch((error) => Effect.logWarning(`what routers report is written later: ${error.message}`)))
    return yield* Effect.forever(Effect.andThen(Effect.sleep(gatherMs), write))
  }).pipe(Effect.scoped)

/** What was written last of each route: two views of a router tell the same thing twice. */
class Written {
  readonly #details = new Map<string, string>()

  isNew(key: string, detail: string): boolean {
    return this.#details.get(key) !== detail
  }

  /** Of a router, by its address. */
  forget(router: string): void {
    for (const key of this.#details.keys()) if (key.startsWith(`${router} `)) this.#details.delete(key)
  }

  note(key: string, detail: string): void {
    if (this.#details.size >= 200_000) this.#details.clear()
    this.#details.set(key, detail)
  }
}

/** Changes that may wait while the ledger refuses: those of every VIP that a large fleet has. Later ones are passed over. */
const pendingMax = 200_000

/** A router's table may be anybody's: what waits are VIPs and sessions alone. */
const note = (
  pending: Map<string, Pending>,
  {
    router,
    changes,
    isVip
  }: {
    readonly router: ReportingRouter
    readonly changes: ReadonlyArray<ViewChange>
    readonly isVip: (prefix: Prefix) => boolean
  }
): void => {
  for (const change of changes) {
    if (pending.size >= pendingMax) return
    const ends = endsOf(change.peer)
    if (ends === undefined) continue
    switch (change._tag) {
      case "RouteAdded":
      case "RouteGone": {
        const { prefix, view, isFromDump } = change
        if (isFromDump || !view.startsWith("adj-rib-in") || !isHost(prefix) || !isVip(prefix)) continue
        const key = `${router.address} ${ends.nodeAddress} ${ends.routerAddress} ${prefix.address.family} ${prefix.address.value}`
        pending.set(key, { router, ends, prefix })
        continue
      }
      case "PeerUp":
      case "PeerDown":
        pending.set(`${router.address} ${ends.nodeAddress} ${ends.routerAddress}`, { router, ends, prefix: undefined })
    }
  }
}

/** The end of what a router says is told of each session that it spoke of, after the last that it said of it. */
const noteLost = (pending: Map<string, Pending>, router: ReportingRouter, lost: LostRouter): void => {
  for (const peer of router.view.peers) {
    if (pending.size >= pendingMax) return
    const ends = endsOf(peer)
    if (ends === undefined) continue
    pending.set(`${router.address} ${ends.nodeAddress} ${ends.routerAddress} silent`, {
      ...{ router, ends, prefix: undefined },
      lost
    })
  }
}

const isHost = ({ address, lengthBits }: Prefix): boolean => lengthBits === (address.family === 4 ? 32 : 128)

/** A router that did not tell its own address leaves open whose session it is. */
const endsOf = ({ address, localAddress }: ReportedPeer): Pending["ends"] | undefined =>
  localAddress === undefined ? undefined : { nodeAddress: address, routerAddress: localAddress }

const ownersOf = (nodes: ReadonlyMap<string, HeardNode>): ReadonlyMap<string, Owner> => {
  const owners = new Map<string, Owner>()
  for (const { status } of nodes.values()) {
    const { cluster, node } = status
    for (const { peer, peerAddress, localAddress } of status.sessions) {
      const routerAddress = peerAddress.replace(/%.*$/, "") // a zone is the node's alone
      if (localAddress !== undefined) owners.set(`${localAddress} ${routerAddress}`, { cluster, node, peer })
    }
  }
  return owners
}

const rowOf = (
  { router, ends, prefix, lost }: Pending,
  owners: ReadonlyMap<string, Owner>,
  fleet: Fleet,
  nowMs: number
): WireRow | undefined => {
  const owner = owners.get(`${ends.nodeAddress} ${ends.routerAddress}`)
  if (owner === undefined) return undefined
  const name = router.view.name || router.address
  if (lost !== undefined) {
    const detail: RouterDetail = { router: name, change: "silent", at: iso(lost.atMs), reason: lost.reason }
    return { ...owner, kind: routerKind, detail: JSON.stringify(detail) }
  }
  if (prefix === undefined) {
    const detail = sessionDetail(router, ends, name)
    return detail && { ...owner, kind: routerKind, detail: JSON.stringify(detail) }
  }
  const network = fleet.clusters.get(owner.cluster)?.network
  const address = formatIpAddress(prefix.address)
  if (network === undefined || !isKnown(fleet, owner.cluster, network, address)) return undefined
  const detail = routeDetail(evidenceOf(router.view, ends, prefix, nowMs), name)
  return detail && { ...owner, network, address, kind: routerKind, detail: JSON.stringify(detail) }
}

const isKnown = (fleet: Fleet, cluster: string, network: string, address: string): boolean => {
  const vip = fleet.vip(network, address, cluster)
  return vip !== undefined && vip.phase !== "free"
}

const sessionDetail = (router: ReportingRouter, ends: Pending["ends"], name: string): RouterDetail | undefined => {
  const found = router.view.peers.find(
    ({ address, localAddress }) => address === ends.nodeAddress && localAddress === ends.routerAddress
  )
  if (found === undefined) return undefined
  const { upSinceMs, down } = found
  if (upSinceMs !== undefined) return { router: name, change: "session-up", at: iso(upSinceMs) }
  return down && { router: name, change: "session-down", at: iso(down.atMs), reason: down.reason }
}

const routeDetail = (evidence: RouteEvidence, router: string): RouterDetail | undefined => {
  switch (evidence._tag) {
    case "Has":
      return evidence.isOlder ? undefined : { router, change: "has", at: iso(evidence.sinceMs) }
    case "LetGo":
      return { router, change: "let-go", at: iso(evidence.atMs) }
    case "Never":
    case "SessionDown":
    case "Unsure":
    case "NotReported":
      return undefined
  }
}

const iso = (ms: number): string => new Date(ms).toISOString()
