import { evidenceOf, type ReportedPeer, type ReportingRouter, type RouteEvidence, type ViewChange } from "@lowtide/bmp"
import type { Fleet } from "@lowtide/domain"
import { Ledger, type WireRow } from "@lowtide/ledger"
import { formatIpAddress, type Prefix } from "@lowtide/net"
import { Clock, Effect } from "effect"
import type { HeardNode } from "./centre.ts"
import { monotonicMs } from "./monotonic-clock.ts"
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

/**
 * A router that is away for so long reports no more. One whose connection breaks and comes again is taken to be as it was: else
 * each time would write rows for each of its sessions.
 */
const awayMs = 30_000

/** The addresses of a session, as a router tells of it. */
interface Ends {
  readonly nodeAddress: string
  readonly routerAddress: string
}

/** A session, or a route of one, of which a router said something new. */
interface Pending {
  readonly router: ReportingRouter
  readonly ends: Ends
  readonly prefix: Prefix | undefined
}

/** A router whose connection ended, and the sessions that it spoke of. */
interface Away extends Pick<LostRouter, "atMs" | "reason"> {
  readonly name: string
  readonly sessions: ReadonlyArray<Ends>
  /** By the clock that only goes forward; undefined until the next time that something is written. */
  readonly sinceMs: number | undefined
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
    /** By the router's address. */
    const away = new Map<string, Away>()
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
          (router, lost) => away.set(router.address, awayOf(router, lost))
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
        return row === undefined ? [] : { key, row, router: change.router }
      })
      const news = rows.filter((row) => written.isNew(row)).map(({ row }) => row)
      const over = takeOver(away, new Set(heard.routers().map(({ address }) => address)), yield* monotonicMs)
      const silent = over.flatMap(([, router]) => silentRows(router, owners))
      if (news.length + silent.length > 0) yield* ledger.appendWire([...news, ...silent])
      for (const row of rows) written.note(row)
      for (const [address, router] of over) {
        // What a router says when it reports again is news, though it may be what it said before.
        written.forget(address)
        if (away.get(address) === router) away.delete(address)
      }
      for (const [key, change] of taken) if (pending.get(key) === change) pending.delete(key)
    }).pipe(Effect.catch((error) => Effect.logWarning(`what routers report is written later: ${error.message}`)))
    return yield* Effect.forever(Effect.andThen(Effect.sleep(gatherMs), write))
  }).pipe(Effect.scoped)

/** A row, and of what and by whom it is. */
interface Said {
  readonly key: string
  readonly row: WireRow
  readonly router: Pick<ReportingRouter, "address" | "connectedAtMs">
}

/** Details that are remembered, over all routers. */
const detailsMax = 200_000

/** What each router said last of each route and session: two views of a router tell the same thing twice. */
class Written {
  /** By the router's address, and by key. */
  readonly #said = new Map<string, Map<string, { readonly detail: string; readonly connectedAtMs: number }>>()
  #size = 0

  isNew({ key, row, router: { address, connectedAtMs } }: Said): boolean {
    const last = this.#said.get(address)?.get(key)
    if (last === undefined) return true
    // On a connection anew a router tells how its sessions are, as if it was so from now on.
    const isTold = row.address === undefined && last.connectedAtMs !== connectedAtMs
    return isTold ? timeless(last.detail) !== timeless(row.detail) : last.detail !== row.detail
  }

  /** Of a router, by its address. */
  forget(router: string): void {
    this.#size -= this.#said.get(router)?.size ?? 0
    this.#said.delete(router)
  }

  note({ key, row: { detail }, router: { address, connectedAtMs } }: Said): void {
    if (this.#size >= detailsMax) {
      this.#said.clear()
      this.#size = 0
    }
    const said = this.#said.get(address) ?? new Map()
    this.#said.set(address, said)
    if (!said.has(key)) this.#size++
    said.set(key, { detail, connectedAtMs })
  }
}

const timeless = (detail: string): string => {
  const { at: _, ...rest } = JSON.parse(detail) as RouterDetail
  return JSON.stringify(rest)
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

const awayOf = ({ address, view }: ReportingRouter, { atMs, reason }: LostRouter): Away => ({
  name: view.name || address,
  sessions: view.peers.flatMap((peer) => endsOf(peer) ?? []),
  ...{ atMs, reason, sinceMs: undefined }
})

/** Routers that report no more, by address, as many as have some `rowsMax` sessions; those that are back are away no longer. */
const takeOver = (
  away: Map<string, Away>,
  back: ReadonlySet<string>,
  nowMs: number
): ReadonlyArray<readonly [string, Away]> => {
  const over: Array<readonly [string, Away]> = []
  let sessions = 0
  for (const [address, router] of away) {
    if (back.has(address)) away.delete(address)
    else if (router.sinceMs === undefined) away.set(address, { ...router, sinceMs: nowMs })
    else if (nowMs - router.sinceMs >= awayMs && sessions < rowsMax) {
      over.push([address, router])
      sessions += router.sessions.length
    }
  }
  return over
}

/** The end of what a router says is told of each session that it spoke of. */
const silentRows = (
  { name, sessions, atMs, reason }: Away,
  owners: ReadonlyMap<string, Owner>
): ReadonlyArray<WireRow> => {
  const detail: RouterDetail = { router: name, change: "silent", at: iso(atMs), reason }
  return sessions.flatMap((ends) => {
    const owner = owners.get(`${ends.nodeAddress} ${ends.routerAddress}`)
    return owner === undefined ? [] : { ...owner, kind: routerKind, detail: JSON.stringify(detail) }
  })
}

const isHost = ({ address, lengthBits }: Prefix): boolean => lengthBits === (address.family === 4 ? 32 : 128)

/** A router that did not tell its own address leaves open whose session it is. */
const endsOf = ({ address, localAddress }: ReportedPeer): Ends | undefined =>
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
  { router, ends, prefix }: Pending,
  owners: ReadonlyMap<string, Owner>,
  fleet: Fleet,
  nowMs: number
): WireRow | undefined => {
  const owner = owners.get(`${ends.nodeAddress} ${ends.routerAddress}`)
  if (owner === undefined) return undefined
  const name = router.view.name || router.address
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

const sessionDetail = (router: ReportingRouter, ends: Ends, name: string): RouterDetail | undefined => {
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
