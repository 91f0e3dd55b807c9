import { type BgpFlapList, type BgpRouteList, type BgpSessionList, bgpItemsMax, flapWindowMs } from "@lowtide/api/bgp"
import { InvalidQueryProblem, NotFoundProblem } from "@lowtide/api/problems"
import {
  asksAbout,
  type Change,
  firstRoutes,
  flapsOf,
  type Narrowing,
  type NodeFacts,
  type RouteEvent,
  routeViews,
  sessionChange,
  sessionViews,
  vipChange
} from "@lowtide/domain"
import { didYouMean } from "@lowtide/domain/words"
import { Ledger, type StoredWire } from "@lowtide/ledger"
import { Clock, Effect } from "effect"
import { Centre, type CommittedView } from "../centre.ts"
import { RouterReports } from "../router-reports.ts"
import { orUnavailable } from "./asking.ts"
import { type Moment, momentOf, momentUnchecked, readAt, wireFactsAt } from "./past.ts"
import { peersOf } from "./unknown-names.ts"
import { type HeardNode, heardNodes, nodeFacts, whyUnannounced, withdrawingVips } from "./views/bgp.ts"
import { clustersOf, namesText, unknownCluster } from "./views/clusters.ts"
import { routerWords } from "./views/evidence.ts"
import { readingOf } from "./views/reading.ts"
import { reportLateMsMax, type WireFacts } from "./views/wire-facts.ts"
import { appliedOf, sessionOf } from "./views/wire-rows.ts"

type Asked = Narrowing & { readonly at?: string }

/** Rows of the wire journal that are read of one VIP or session. */
const rowsEachMax = 20

/** Events that are looked up by their seqs for one answer; of more, only the seqs are told. */
const eventsMax = 200

/** The sessions of the fleet, or of a part of it. */
export const askPeers = Effect.fnUntraced(function* (asked: Asked) {
  const { reading, facts } = yield* askFacts(asked)
  const list: BgpSessionList = { ...reading, items: facts.flatMap(({ known }) => sessionViews(known)) }
  return list
})

/** What peers are to have, the first of them where it is too much for one answer. */
export const askRoutes = Effect.fnUntraced(function* (asked: Asked) {
  const { reading, facts, withdrawing } = yield* askFacts(asked)
  const isAsked = asksAbout(asked)
  const routes = facts.flatMap(({ known }) => routeViews(known, (_, prefix) => isAsked(prefix)))
  const list: BgpRouteList = {
    ...reading,
    ...firstRoutes(routes, bgpItemsMax),
    unannounced: asked.prefix === undefined ? [] : facts.flatMap(unannouncedBy),
    withdrawing
  }
  return list
})

interface Known {
  readonly heard: HeardNode
  readonly wire: WireFacts
  readonly known: NodeFacts
}

const unannouncedBy = ({ heard, wire, known }: Known): BgpRouteList["unannounced"] => {
  const announced = new Set(routeViews(known).flatMap(({ vips }) => vips.map(({ address }) => address)))
  const { cluster, node, vips } = heard
  return vips.flatMap((vip) => {
    const { network, address } = vip
    if (announced.has(address)) return []
    return { cluster, node, network, address, why: whyUnannounced(heard, wire, vip) }
  })
}

/** Everything that is known of the nodes that are asked about, now or at a moment. */
const askFacts = Effect.fnUntraced(function* (asked: Asked) {
  const ledger = yield* Ledger
  const moment = asked.at === undefined ? undefined : yield* momentOf(asked.at, "at")
  const nowMs = moment === undefined ? yield* Clock.currentTimeMillis : Date.parse(moment.at)
  const { reading, nodes, withdrawing, fault } = yield* readAt(moment, (view) => ({
    reading: { ...readingOf(view), reportsSince: view.reportsSince ?? null },
    nodes: heardNodes(view, asked, nowMs),
    withdrawing: asked.prefix === undefined ? [] : withdrawingVips(view, asked),
    fault: unknownPart(view, asked) ?? unknownPeer(view, asked)
  }))
  if (fault !== undefined) return yield* new NotFoundProblem({ detail: fault })
  const wire = yield* orUnavailable(
    wireFactsAt(ledger, { ...namesOf(nodes), at: wireMoment(moment, nowMs), rowsEachMax })
  )
  const events = yield* askEvents(nodes, wire)
  const routers = moment === undefined ? (yield* RouterReports).routers() : [] // what they said before is not kept
  const facts = nodes.map((heard): Known => {
    const { status, intent } = heard
    const said = routerWords(routers, { status, peers: intent.peers, addresses: intent.addresses }, nowMs)
    return { heard, wire, known: nodeFacts(heard, wire, events, said) }
  })
  return { reading, facts, withdrawing }
})

/** A node's clock may be ahead: of what is so by now, no report is left out. */
const wireMoment = (moment: Moment | undefined, nowMs: number): string =>
  moment?.at ?? new Date(nowMs + reportLateMsMax).toISOString()

/** What the wire journal is asked about. VIPs of a cluster are the same for each of its nodes. */
const namesOf = (nodes: ReadonlyArray<HeardNode>) => {
  const vips = new Map(
    nodes.flatMap(({ cluster, vips }) =>
      vips.map(({ network, address }) => [`${cluster} ${network} ${address}`, { cluster, network, address }] as const)
    )
  )
  const sessions = nodes.flatMap(({ cluster, node, intent }) =>
    intent.peers.map(({ name }) => ({ cluster, node, peer: name }))
  )
  return { vips: [...vips.values()], sessions }
}

const unknownPart = (view: CommittedView, asked: Asked): string | undefined => {
  const fault = unknownCluster(view, asked.cluster)
  if (fault !== undefined) return `cluster: ${fault}`
  const clusters = clustersOf(view, asked)
  if (asked.node !== undefined && !clusters.some(({ nodes }) => nodes.has(asked.node ?? ""))) {
    const known = clusters.flatMap(({ nodes }) => [...nodes.keys()])
    return `node: expected a node that the log knows, found ${JSON.stringify(asked.node)}${didYouMean(asked.node, known)}`
  }
  return undefined
}

/** What is wrong with a peer's name that no BGPPeer of the clusters that are asked about has. */
const unknownPeer = (view: CommittedView, asked: Asked): string | undefined => {
  const { peer } = asked
  if (peer === undefined) return undefined
  const known = peersOf(clustersOf(view, asked))
  if (known.includes(peer)) return undefined
  return `peer: expected one of [${namesText([...new Set(known)].sort())}], found ${JSON.stringify(peer)}${didYouMean(peer, known)}`
}

const askEvents = Effect.fnUntraced(function* (nodes: ReadonlyArray<HeardNode>, wire: WireFacts) {
  const ledger = yield* Ledger
  const seqs = new Set(nodes.flatMap(({ node, vips }) => vips.flatMap((vip) => wire.eventSeq(vip, node) ?? [])))
  if (seqs.size > eventsMax) return new Map<number, RouteEvent>()
  const found = yield* Effect.forEach(
    seqs,
    (seq) => orUnavailable(ledger.events({ sinceSeq: seq, untilSeq: seq, limit: 1, order: "asc" })),
    { concurrency: 4 }
  )
  return new Map(
    found
      .flat()
      .map(({ seq, type, reasonCode, actor }): [number, RouteEvent] => [seq, { seq, type, reason: reasonCode, actor }])
  )
})

/** Rows that are read at a time, and for one answer; older ones are left out, and the answer says from when on it counts. */
const pageRows = 2_000
const rowsMax = 40_000

/** What went up and down most in a window. */
export const askFlaps = Effect.fnUntraced(function* (
  asked: Narrowing & { readonly since?: string; readonly at?: string }
) {
  const centre = yield* Centre
  const nowMs = yield* Clock.currentTimeMillis
  const moment = asked.at === undefined ? undefined : yield* momentUnchecked(asked.at, "at")
  const until = moment?.at ?? new Date(nowMs).toISOString()
  const since = new Date(asked.since ?? Date.parse(until) - flapWindowMs).toISOString()
  if (since > until) {
    const detail = `since: expected a moment up to ${until}, found ${since}`
    return yield* new InvalidQueryProblem({ field: "since", detail })
  }
  const { reading, fault, peerFault, reportsSince } = yield* orUnavailable(
    centre.read((view) => ({
      reading: readingOf(view),
      fault: unknownPart(view, asked),
      peerFault: unknownPeer(view, asked),
      reportsSince: view.fleet.wireDrop?.before ?? ""
    }))
  )
  if (fault !== undefined) return yield* new NotFoundProblem({ detail: fault })
  const read = yield* readRows(asked, since, until)
  const changes = read.rows
    .flatMap(changesOf)
    .filter(
      ({ at, of }) =>
        at >= since && at <= until && (asked.peer === undefined || (of.kind === "session" && of.peer === asked.peer))
    )
  // The journal may know of sessions with a peer that is gone.
  if (peerFault !== undefined && changes.length === 0) return yield* new NotFoundProblem({ detail: peerFault })
  const list: BgpFlapList = {
    ...reading,
    since: [since, reportsSince, read.from].reduce((last, each) => (each > last ? each : last)),
    until,
    items: flapsOf(changes)
      .filter(({ node }) => asked.node === undefined || node === asked.node)
      .slice(0, bgpItemsMax)
  }
  return list
})

/** The newest first, as far back as the window goes, or as many as may be read. A report may come in late. */
const readRows = Effect.fnUntraced(function* (asked: Narrowing, since: string, until: string) {
  const ledger = yield* Ledger
  const rows: Array<StoredWire> = []
  const untilAt = new Date(Date.parse(until) + reportLateMsMax).toISOString()
  for (const kind of ["session", "applied"] as const) {
    let beforeId: number | undefined
    for (let read = 0; read < rowsMax; read += pageRows) {
      const page = yield* orUnavailable(
        ledger.wire({ cluster: asked.cluster, kind, untilAt, beforeId, limit: pageRows, order: "desc" })
      )
      rows.push(...page)
      beforeId = page.at(-1)?.id
      if (page.length < pageRows || (page.at(-1)?.recordedAt ?? "") < since) break
      if (read + pageRows >= rowsMax) return { rows, from: page.at(-1)?.recordedAt ?? since }
    }
  }
  return { rows, from: since }
})

const changesOf = (row: StoredWire): ReadonlyArray<Change> => {
  const { cluster, node, peer, address = "" } = row
  const session = sessionOf(row)
  if (session !== undefined && node !== undefined && peer !== undefined)
    return sessionChange({ cluster, node, peer }, session)
  return appliedOf(row).flatMap((entry) => vipChange({ cluster, node: entry.node, address }, entry))
}
