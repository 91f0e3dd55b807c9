import type { Announcement, Announcer } from "@lowtide/api/holder"
import { standing } from "@lowtide/domain/announcing/flaps"
import { isOnTheWire } from "@lowtide/domain/announcing/node-routes"
import { listText } from "@lowtide/domain/words"
import type { StoredWire } from "@lowtide/ledger"
import { byText } from "./reading.ts"
import { type AppliedEntry, appliedOf, type SessionChange, sessionOf } from "./wire-rows.ts"

/** How long after the fact its report may come in, milliseconds: rows are read so far beyond the moment asked about. */
export const reportLateMsMax = 60_000

/** What one node last made of a VIP, and what it last told each peer of it. */
interface Told {
  readonly verdict: string
  /** The seq of the stamp that it rests on; undefined where the row has none. */
  readonly seq: number | undefined
  readonly peers: ReadonlyMap<string, ToldPeer>
}

interface ToldPeer {
  readonly action: "announced" | "withdrawn"
  readonly writtenAt: string
  readonly isStandby: boolean
}

/** What the wire journal has of some VIPs and sessions at one moment, by the nodes' own clocks. */
export class WireFacts {
  readonly #told = new Map<string, Told>()
  readonly #sessions = new Map<string, SessionChange>()
  readonly #nodes = new Map<string, Set<string>>()

  /** Of these rows, in any order, what is not later than the moment. */
  constructor(rows: ReadonlyArray<StoredWire>, atMs: number) {
    for (const row of [...rows].sort((left, right) => left.id - right.id)) {
      this.#noteSession(row, atMs)
      for (const entry of appliedOf(row)) this.#noteApplied(row, entry, atMs)
    }
  }

  /** The last that is reported of a node's session with a peer; undefined when nothing is. */
  session(cluster: string, node: string, peer: string): SessionChange | undefined {
    return this.#sessions.get(`${cluster}/${node}/${peer}`)
  }

  /** Nodes of the cluster that have reported anything of the VIP, by name. */
  nodesOf(vip: VipName): ReadonlyArray<string> {
    return [...(this.#nodes.get(vipKey(vip)) ?? [])].sort()
  }

  /** What the node last made of the VIP; null when it has reported nothing of it. */
  verdict(vip: VipName, node: string): string | null {
    return this.#told.get(`${vipKey(vip)} ${node}`)?.verdict ?? null
  }

  /** The event on which rests what the node last made of the VIP. */
  eventSeq(vip: VipName, node: string): number | undefined {
    return this.#told.get(`${vipKey(vip)} ${node}`)?.seq
  }

  /** Whether the node is standby of the VIP for the peer, by what it told last: as one, or since the peer had lost it. */
  isStandby(vip: VipName, { node, peer }: { readonly node: string; readonly peer: string }): boolean {
    return this.#told.get(`${vipKey(vip)} ${node}`)?.peers.get(peer)?.isStandby ?? false
  }

  /** What the node had told its peers of the VIP, by the peers' names. */
  announcements(vip: VipName, node: string): ReadonlyArray<Announcement> {
    const told = this.#told.get(`${vipKey(vip)} ${node}`)
    return [...(told?.peers ?? [])]
      .map(([peer, { action, writtenAt }]) => {
        const session = this.session(vip.cluster, node, peer)
        return { peer, ...standing(action, writtenAt, session) }
      })
      .sort(byText(({ peer }) => peer))
  }

  #noteSession(row: StoredWire, atMs: number): void {
    const session = sessionOf(row)
    if (session === undefined || Date.parse(session.at) > atMs || session.change === "refused") return
    this.#sessions.set(`${row.cluster}/${row.node}/${row.peer}`, session)
  }

  #noteApplied({ cluster, network = "", address = "", stampSeq }: StoredWire, entry: AppliedEntry, atMs: number): void {
    const written = entry.peers.filter(({ writtenAt }) => Date.parse(writtenAt) <= atMs)
    const decidedAt = entry.savedAt ?? entry.receivedAt ?? entry.peers[0]?.writtenAt
    if (written.length === 0 && decidedAt !== undefined && Date.parse(decidedAt) > atMs) return
    const vip = vipKey({ cluster, network, address })
    const key = `${vip} ${entry.node}`
    const peers = new Map(this.#told.get(key)?.peers)
    for (const { peer, action, writtenAt, standby = false } of written) {
      // What a session cannot carry it takes back, if it had it.
      if (action === "announced") peers.set(peer, { action, writtenAt, isStandby: standby })
      else if (action === "withdrawn" || action === "refused") {
        peers.set(peer, { action: "withdrawn", writtenAt, isStandby: standby })
      } else if (
        isOnTheWire({ _tag: entry.verdict }) &&
        isNews(peers.get(peer), this.session(cluster, entry.node, peer))
      ) {
        // It has it as before, where the report of that is gone, or was of the session before this one.
        peers.set(peer, { action: "announced", writtenAt, isStandby: standby })
      }
    }
    this.#told.set(key, { verdict: entry.verdict, seq: stampSeq, peers })
    const nodes = this.#nodes.get(vip)
    if (nodes === undefined) this.#nodes.set(vip, new Set([entry.node]))
    else nodes.add(entry.node)
  }
}

/** Whether that a peer has it says more than what it was told last. */
const isNews = (told: ToldPeer | undefined, session: SessionChange | undefined): boolean =>
  told?.action !== "announced" || (session?.change === "up" && session.at > told.writtenAt)

/** A VIP in a cluster. */
export interface VipName {
  readonly cluster: string
  readonly network: string
  readonly address: string
}

const vipKey = ({ cluster, network, address }: VipName): string => `${cluster} ${network} ${address}`

/** Who was to announce a VIP and who has reported of it, by name. */
export const announcersOf = (
  facts: WireFacts,
  vip: VipName,
  intended: ReadonlyArray<string>
): ReadonlyArray<Announcer> =>
  [...new Set([...intended, ...facts.nodesOf(vip)])].sort().map((node) => ({
    node,
    intended: intended.includes(node),
    verdict: facts.verdict(vip, node),
    peers: facts.announcements(vip, node)
  }))

/** Nodes that a sentence names; of more it has their number. */
const namesMax = 8

/**
 * `At …, east-1 and east-2 had announced it to tor-a; east-3 had reported nothing of it.` Nodes of which the same is so share
 * a clause; times are in the answer, not in the sentence. Empty when there is nobody to speak of. `reportsSince`: from when on
 * reports are kept; null where none was removed.
 */
export const announcementSentence = (
  announcers: ReadonlyArray<Announcer>,
  knowing: {
    readonly at: string | null
    /** Reports from before then were removed by retention; null: none were. */
    readonly reportsSince: string | null
    /** Whether it was somebody's, so that who was to announce it still is, or else has yet to confirm its withdrawal. */
    readonly isHeld: boolean
  }
): string => {
  const { at } = knowing
  const have = at === null ? "have" : "had"
  const clauses = new Map<string, Array<string>>()
  for (const announcer of announcers) {
    const clause = clauseOf(announcer, knowing)
    clauses.set(clause, [...(clauses.get(clause) ?? []), announcer.node])
  }
  if (clauses.size === 0) return ""
  const text = [...clauses]
    .map(
      ([clause, nodes]) => `${listText(nodes, namesMax)} ${nodes.length === 1 && at === null ? "has" : have} ${clause}`
    )
    .join("; ")
  return `${at === null ? "By their reports " : `At ${at}, by their reports, `}${text}.`
}

const clauseOf = (
  { verdict, peers }: Announcer,
  { at, reportsSince, isHeld }: Parameters<typeof announcementSentence>[1]
): string => {
  const of = (state: Announcement["state"]) => peers.filter((told) => told.state === state).map(({ peer }) => peer)
  const parts = [
    ...(of("announced").length > 0 ? [`announced it to ${listText(of("announced"), namesMax)}`] : []),
    ...(of("withdrawn").length > 0 ? [`withdrawn it from ${listText(of("withdrawn"), namesMax)}`] : []),
    ...(of("lost").length > 0
      ? [`lost the session on which it was announced to ${listText(of("lost"), namesMax)}`]
      : []),
    ...(of("unknown").length > 0
      ? [`a new session, of which nothing is reported, with ${listText(of("unknown"), namesMax)}`]
      : [])
  ]
  if (parts.length > 0) return parts.join(" and ")
  if (verdict !== null) return `told no router of it (${verdict})`
  const is = at === null ? "is" : "was"
  const since = reportsSince === null ? "" : ` since ${reportsSince}, and older reports were removed`
  const byLog = isHeld ? `it ${is} to be announced there` : `its withdrawal ${is} not confirmed there`
  return `reported nothing of it${since}: by the log ${byLog}, but whether it ${is} announced is not known`
}
