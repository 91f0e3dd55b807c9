import type { DiffItem } from "@lowtide/api/diff"
import { isSeqText } from "@lowtide/api/parameters"
import { InvalidQueryProblem, type UnavailableProblem } from "@lowtide/api/problems"
import { type Fleet, type NodeIntent, resolveNode } from "@lowtide/domain"
import { Ledger, type Unavailable } from "@lowtide/ledger"
import { Cache, Clock, Context, Effect, Exit, Layer } from "effect"
import { Centre, type CommittedView, type HeardNode, obligedNodes } from "../centre.ts"
import { inTurns, RestoredFleet } from "../memory.ts"
import { type Archived, archivedEvents } from "./archived.ts"
import { orUnavailable } from "./asking.ts"
import { diffItems } from "./views/diff.ts"
import { reportLateMsMax, type VipName, WireFacts } from "./views/wire-facts.ts"

/** A moment of the past, and the place in the log where it was. */
export interface Moment {
  /** Seq of the last event up to then; 0 before the first. */
  readonly position: number
  /** When that event was recorded; the moment itself before the first. */
  readonly recordedAt: string
  /** RFC 3339 in UTC: the time asked about, or that of the event asked about. */
  readonly at: string
  /** Whether an event was named, and not a time. */
  readonly isSeq: boolean
}

/** How far ahead of the allocator's clock the clock of who asks may be, milliseconds. */
const clockLeadMsMax = 1000

/** Past fleets that are kept for the next question about the same place; they never change. */
const fleetsMax = 2

/** Differences that are kept for the next page of one; they never change. */
const differencesMax = 1

/** How long they are kept. */
const keptFor = "1 minute"

/** Rows of the wire journal that are read of one VIP or session, for a whole fleet. */
const rowsEachMax = 20

/** The fleet as it was. */
export class Past extends Context.Service<
  Past,
  {
    /** The fleet at a moment: from events up to its position; sessions and announcements from the wire journal. */
    readonly viewAt: (moment: Moment) => Effect.Effect<CommittedView, UnavailableProblem>
    /** All that differs between two places of the log. */
    readonly itemsBetween: (from: number, to: number) => Effect.Effect<ReadonlyArray<DiffItem>, UnavailableProblem>
  }
>()("@lowtide/allocator/Past") {
  static readonly layer: Layer.Layer<Past, never, Ledger | Centre> = Layer.effect(
    Past,
    Effect.gen(function* () {
      const ledger = yield* Ledger
      const centre = yield* Centre
      // By place as text: a place of another incarnation is another one.
      const fleets = yield* Cache.makeWith(
        (key: string) => fleetAt(ledger, Number(key.slice(key.indexOf("/") + 1))),
        // A database that was away is asked again.
        { capacity: fleetsMax, timeToLive: (exit) => (Exit.isSuccess(exit) ? keptFor : 0) }
      )
      const differences = yield* Cache.makeWith((key: string) => itemsBetween(ledger, key), {
        capacity: differencesMax,
        timeToLive: (exit) => (Exit.isSuccess(exit) ? keptFor : 0)
      })
      return Past.of({
        itemsBetween: (from, to) =>
          Effect.flatMap(
            centre.read(({ head }) => head.incarnation),
            (incarnation) => Cache.get(differences, `${incarnation}/${from}/${to}`)
          ).pipe(orUnavailable),
        viewAt: (moment) =>
          Effect.gen(function* () {
            const { head, wireDrop } = yield* centre.read(({ head, fleet }) => ({ head, wireDrop: fleet.wireDrop }))
            const { fleet, recordedAt } = yield* Cache.get(fleets, `${head.incarnation}/${moment.position}`)
            const reportsSince = wireDrop?.before ?? null
            const isRemoved = reportsSince !== null && moment.at < reportsSince
            const nodes = isRemoved ? new Map<string, HeardNode>() : yield* nodesAt(ledger, fleet, moment.at)
            return {
              fleet,
              head: { ...head, seq: moment.position, recordedAt: moment.recordedAt },
              recordedAt: (stream: string) => recordedAt.get(stream),
              nodes,
              awaited: obligedNodes,
              reportsSince
            }
          }).pipe(orUnavailable)
      })
    })
  )
}

/** Reads the fleet as committed, or as it was at a moment. */
export const readAt = <A>(moment: Moment | undefined, project: (view: CommittedView) => A) =>
  Effect.gen(function* () {
    if (moment !== undefined) return project(yield* (yield* Past).viewAt(moment))
    return yield* orUnavailable((yield* Centre).read(project))
  })

/**
 * The moment that `at` of a request names. One that only archived events tell of is refused rather than answered with the
 * part of it that is still there.
 */
export const momentOf = Effect.fnUntraced(function* (text: string, field: string) {
  const archived = yield* archivedEvents
  if (archived !== undefined && isSeqText(text) && Number(text) <= archived.untilSeq) {
    return yield* inArchive(archived, Number(text), field)
  }
  const moment = yield* momentUnchecked(text, field)
  return archived !== undefined && moment.position <= archived.untilSeq
    ? yield* inArchive(archived, moment.at, field)
    : moment
})

/** The same for a moment that only bounds what is asked for: it may be before the first event that is there. */
export const momentUnchecked = Effect.fnUntraced(function* (text: string, field: string) {
  const ledger = yield* Ledger
  return yield* isSeqText(text) ? momentOfSeq(ledger, Number(text), field) : momentOfTime(ledger, text, field)
})

const inArchive = ({ sentenceOf }: Archived, place: number | string, field: string) => {
  const named = typeof place === "number" ? `event ${place}` : place
  return Effect.fail(
    new InvalidQueryProblem({
      field,
      detail: `${field}: LT0535 what was so at ${named} is archived: ${sentenceOf(place)}`
    })
  )
}

const momentOfSeq = Effect.fnUntraced(function* (ledger: Ledger["Service"], seq: number, field: string) {
  const [event] = yield* orUnavailable(ledger.events({ sinceSeq: seq, untilSeq: seq, limit: 1, order: "asc" }))
  if (event === undefined) {
    const { seq: last } = yield* orUnavailable(ledger.head)
    const detail = `${field}: expected the seq of an event, 1 to ${last}, found ${seq}`
    return yield* new InvalidQueryProblem({ field, detail })
  }
  const moment: Moment = { position: seq, recordedAt: event.recordedAt, at: event.recordedAt, isSeq: true }
  return moment
})

const momentOfTime = Effect.fnUntraced(function* (ledger: Ledger["Service"], text: string, field: string) {
  const at = new Date(text).toISOString()
  const nowMs = yield* Clock.currentTimeMillis
  // Nobody knows what will be.
  if (Date.parse(at) > nowMs + clockLeadMsMax) {
    const detail = `${field}: expected a moment that is past, found ${at}; it is ${new Date(nowMs).toISOString()}`
    return yield* new InvalidQueryProblem({ field, detail })
  }
  const position = yield* orUnavailable(ledger.headAt(at))
  const [event] =
    position === 0
      ? []
      : yield* orUnavailable(ledger.events({ sinceSeq: position, untilSeq: position, limit: 1, order: "asc" }))
  const moment: Moment = { position, recordedAt: event?.recordedAt ?? at, at, isSeq: false }
  return moment
})

const fleetAt = Effect.fnUntraced(function* (ledger: Ledger["Service"], position: number) {
  const restored = new RestoredFleet()
  yield* inTurns(yield* ledger.stateAt(position), restored.take)
  yield* restored.end
  return restored
})

/** By incarnation and both places as one text. */
const itemsBetween = Effect.fnUntraced(function* (ledger: Ledger["Service"], key: string) {
  const [, from = 0, to = 0] = key.split("/").map(Number)
  const before = yield* ledger.stateAt(from)
  const after = yield* ledger.stateAt(to)
  return yield* Effect.fromResult(diffItems(before, after))
})

/** What the wire journal has of these VIPs and sessions at a moment. */
export const wireFactsAt = Effect.fnUntraced(function* (
  ledger: Ledger["Service"],
  query: {
    readonly vips: ReadonlyArray<VipName>
    readonly sessions: ReadonlyArray<{ readonly cluster: string; readonly node: string; readonly peer: string }>
    readonly at: string
    readonly rowsEachMax: number
  }
) {
  const atMs = Date.parse(query.at)
  const rows = yield* ledger.wireAt({ ...query, at: new Date(atMs + reportLateMsMax).toISOString() })
  return new WireFacts(rows, atMs)
})

/** Nodes as their reports up to then tell of them; a node that has reported nothing is left out. */
const nodesAt = (
  ledger: Ledger["Service"],
  fleet: Fleet,
  at: string
): Effect.Effect<ReadonlyMap<string, HeardNode>, Unavailable> =>
  Effect.gen(function* () {
    const intents = [...fleet.clusters.values()].flatMap((cluster) =>
      [...cluster.nodes.values()].map((state) => resolveNode(fleet, cluster, state))
    )
    const vips = [...fleet.vips.values()].filter(({ phase }) => phase !== "free")
    const sessions = intents.flatMap(({ cluster, node, peers }) =>
      peers.map(({ name }) => ({ cluster, node, peer: name }))
    )
    const facts = yield* wireFactsAt(ledger, { vips, sessions, at, rowsEachMax })
    const told = new Map<string, Array<{ readonly address: string; readonly peers: ReadonlyArray<string> }>>()
    for (const vip of vips) {
      for (const node of facts.nodesOf(vip)) {
        const announced = facts.announcements(vip, node).filter(({ state }) => state === "announced")
        const entry = { address: vip.address, peers: announced.map(({ peer }) => peer) }
        const key = `${vip.cluster}/${node}`
        told.set(key, [...(told.get(key) ?? []), entry])
      }
    }
    const nodes = new Map<string, HeardNode>()
    for (const intent of intents) {
      const key = `${intent.cluster}/${intent.node}`
      const status = statusAt(intent, facts, told.get(key) ?? [], at)
      if (status.sessions.length > 0 || told.has(key)) {
        nodes.set(key, { status, heardAtMs: Date.parse(at), isReported: true })
      }
    }
    return nodes
  })

const statusAt = (
  { cluster, node, peers }: Pick<NodeIntent, "cluster" | "node" | "peers">,
  facts: WireFacts,
  told: ReadonlyArray<{ readonly address: string; readonly peers: ReadonlyArray<string> }>,
  at: string
): HeardNode["status"] => ({
  _tag: "NodeStatus",
  cluster,
  node,
  at,
  runId: "",
  sync: "live",
  cseq: 0,
  confirmedCseq: 0,
  sessions: peers.flatMap(({ name, peerAddress, interface: device, peerAsn }) => {
    const session = facts.session(cluster, node, name)
    if (session === undefined) return []
    const isUp = session.change === "up"
    return {
      peer: name,
      peerAddress: device ?? peerAddress,
      peerAsn,
      state: isUp ? "Established" : "Down",
      since: session.at,
      prefixes: told.filter(({ peers }) => peers.includes(name)).length,
      lastError: isUp ? null : session.detail || null,
      lastErrorCode: isUp ? null : session.code
    }
  }),
  announcing: told.filter(({ peers }) => peers.length > 0).map(({ address }) => address),
  refused: []
})
