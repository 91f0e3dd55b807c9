import { Bus, type BusUnavailable } from "@lowtide/bus/connection"
import { readStored } from "@lowtide/bus/read-stream"
import { NodeStatus } from "@lowtide/bus/status"
import { ensureStreams } from "@lowtide/bus/streams"
import { headFilter, headKey, keyOf, stateStream, statusFilter, statusStream } from "@lowtide/bus/subjects"
import { ClusterHead, incarnationMax, readEvent, type Stamp, streamOf } from "@lowtide/domain"
import { type Head, Ledger, type Unavailable } from "@lowtide/ledger"
import { Effect, Option, Result, Schema } from "effect"
import type { HeardNode } from "./centre.ts"

/** The log lacks what others have from it. */
export interface Loss {
  /** The incarnation to begin: above every one that anybody knows. */
  readonly incarnation: number
  readonly why: string
}

/** Where somebody stands in the order of all intents. */
export interface Witness {
  readonly who: string
  readonly stamp: Stamp
  /** Whether this is to be believed where the log does not have it, which says so when it is not; missing: it is. */
  readonly isProven?: Effect.Effect<boolean>
}

/**
 * A log without an event may be new, or all that is left: speakers that are there report themselves within this time, as they
 * do each time that NATS is.
 */
const listenMs = 1_500

/**
 * Compares the log with what NATS holds and what speakers say that they hold. Waits for NATS, since nothing can be said
 * without it. A head, or a node, that is beyond the log's end, or that comes from an event which the log has otherwise, is
 * proof; so is an order to recover, which a restore leaves.
 */
export const findLoss = (
  head: Head,
  nodes: ReadonlyMap<string, HeardNode>,
  /** Where a status shows its node to be. */
  witnessesIn: (status: NodeStatus) => ReadonlyArray<Witness>
): Effect.Effect<Loss | undefined, BusUnavailable | Unavailable, Bus | Ledger> =>
  Effect.gen(function* () {
    yield* (yield* Bus).connection
    yield* ensureStreams
    if (head.seq === 0) yield* Effect.sleep(listenMs)
    const stored = yield* readStored(statusStream, statusFilter)
    return yield* lossBy(head, [
      ...(yield* readHeads).map(headWitness),
      ...stored.flatMap(({ text }) => Option.match(decodeStatus(text), { onNone: () => [], onSome: witnessesIn })),
      ...[...nodes.values()].flatMap(({ status }) => witnessesIn(status))
    ])
  })

/** What witnesses show of the log, and whether somebody ordered to recover. */
export const lossBy = (
  head: Head,
  witnesses: ReadonlyArray<Witness>
): Effect.Effect<Loss | undefined, Unavailable, Ledger> =>
  Effect.gen(function* () {
    const ledger = yield* Ledger
    const believed = witnesses.filter(({ stamp }) => isBelievable(head, stamp))
    for (const { who, stamp } of witnesses) {
      if (isBelievable(head, stamp)) continue
      yield* Effect.logWarning(
        `${who} says that it is at ${at(stamp)}, which no log can have come to; it is passed over`
      )
    }
    const incarnation = Math.max(head.incarnation, ...believed.map(({ stamp }) => stamp.incarnation)) + 1
    const known = new Set<string>()
    for (const { who, stamp, isProven } of believed) {
      if (known.has(at(stamp))) continue
      if (!(yield* isUnknown(head, stamp))) known.add(at(stamp))
      else if (isProven === undefined || (yield* isProven))
        return { incarnation, why: `${who} is at ${at(stamp)}, the log at ${at(head)}` }
    }
    const order = yield* ledger.recoveryOrder
    return order === null ? undefined : { incarnation, why: order }
  })

/**
 * A node's word was believed once that left no number for the incarnation that it began: nothing was ever published by
 * that one, so the next after the log's own takes its place.
 */
export const unstorable = (head: Pick<Head, "incarnation">, begun: number): Loss | undefined =>
  begun <= incarnationMax
    ? undefined
    : { incarnation: head.incarnation + 1, why: `incarnation ${begun} was begun, which cannot be stored` }

const at = ({ incarnation, epoch, seq }: Stamp): string => `${incarnation}/${epoch}/${seq}`

/** More losses of history than a log can have forgotten: one begins each, and a person hears of each. */
const forgottenLossesMax = 1_000

/**
 * What a status says of its stamp is a node's own word. Taken at it, one with the highest number there is would leave no
 * number for a new incarnation, and the centre could not go on.
 */
const isBelievable = (head: Pick<Head, "incarnation">, stamp: Stamp): boolean =>
  stamp.incarnation <= head.incarnation + forgottenLossesMax

/** Whether a stamp is beyond the end of the log. */
export const isBeyond = (head: Pick<Head, "incarnation" | "seq">, stamp: Stamp): boolean =>
  isBelievable(head, stamp) &&
  (stamp.incarnation > head.incarnation || (stamp.incarnation === head.incarnation && stamp.seq > head.seq))

/** Whether somebody is beyond the end of the log, and shows it. */
export const isLossShown = (
  head: Pick<Head, "incarnation" | "seq">,
  witnesses: ReadonlyArray<Witness>
): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    for (const { stamp, isProven } of witnesses) {
      if (isBeyond(head, stamp) && (isProven === undefined || (yield* isProven))) return true
    }
    return false
  })

/** Whether the log does not have the event of this stamp: it is beyond the end, or another epoch's event has its place. */
export const isUnknown = (
  head: Pick<Head, "incarnation" | "seq">,
  stamp: Stamp
): Effect.Effect<boolean, Unavailable, Ledger> =>
  Effect.gen(function* () {
    if (isBeyond(head, stamp)) return true
    if (stamp.incarnation < head.incarnation || stamp.seq < 1) return false
    const ledger = yield* Ledger
    const [event] = yield* ledger.events({ sinceSeq: stamp.seq, untilSeq: stamp.seq, limit: 1, order: "asc" })
    return event !== undefined && event.epoch !== stamp.epoch
  })

/** Where the log ended when a loss was noticed, of each loss that it knows of: a recovery may be lost before it is over. */
export const lostEnds: Effect.Effect<ReadonlyArray<LostEnd>, Unavailable, Ledger> = Effect.gen(function* () {
  const ledger = yield* Ledger
  const events = yield* ledger.events({ stream: streamOf.recovery(), limit: lossesMax, order: "asc" })
  return events.flatMap((event) => {
    const after = event.type === "HistoryLost" ? Result.getOrUndefined(readEvent(event))?.after : undefined
    return after?._tag === "Recovery" ? [after.lostAfter] : []
  })
})

/** The last event that is left of an incarnation. */
export type LostEnd = Pick<Head, "incarnation" | "seq">

/** More losses than a log will ever have. */
const lossesMax = 10_000

/**
 * Whether a stamp is of an event that one of the losses took; the newest incarnation's is the last of them. An incarnation
 * between two that the log knows, and that it does not know itself, was lost whole, its beginning included.
 */
export const isLost = (ends: ReadonlyArray<LostEnd>, stamp: Stamp): Effect.Effect<boolean, Unavailable, Ledger> => {
  const [first] = ends
  const last = ends.at(-1)
  if (first === undefined || last === undefined) return Effect.succeed(false)
  const own = ends.find(({ incarnation }) => incarnation === stamp.incarnation)
  if (own === undefined && first.incarnation < stamp.incarnation && stamp.incarnation < last.incarnation)
    return Effect.succeed(true)
  return isUnknown(own ?? last, stamp)
}

const decodeStatus = Schema.decodeUnknownOption(Schema.fromJsonString(NodeStatus))

const decodeHead = Schema.decodeUnknownOption(Schema.fromJsonString(ClusterHead))

/** A head as NATS holds it; none when it cannot be read. */
export const headOf = (envelope: string): ClusterHead | undefined => {
  try {
    return Option.getOrUndefined(decodeHead((JSON.parse(envelope) as { readonly payload?: unknown }).payload))
  } catch {
    return undefined
  }
}

/** The heads of all clusters in NATS. */
export const readHeads = readStored(stateStream, headFilter).pipe(
  Effect.map((stored) =>
    stored.filter(({ subject }) => keyOf(subject) === headKey).flatMap(({ text }) => headOf(text) ?? [])
  )
)

/** Where NATS stands with a cluster. */
export const headWitness = ({ cluster, stamp }: ClusterHead): Witness => ({
  who: `the head of ${cluster} in NATS`,
  stamp
})
