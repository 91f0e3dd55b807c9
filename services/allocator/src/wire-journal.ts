import type { Bus } from "@lowtide/bus/connection"
import { followStream } from "@lowtide/bus/follow-stream"
import type { StoredMessage } from "@lowtide/bus/ordered-consumer"
import { type WireEntry, WireReport } from "@lowtide/bus/status"
import { senderOf, wireFilter, wireStream, wireSubject } from "@lowtide/bus/subjects"
import { codes } from "@lowtide/domain"
import { storableText, unstorableIn } from "@lowtide/domain/config/storable"
import { plural } from "@lowtide/domain/words"
import { Ledger, type Unavailable, type WireRow } from "@lowtide/ledger"
import { Data, Effect, Metric, Option, Result, Schedule, Schema, Stream } from "effect"

/** Reports that share a row are gathered for this long at most. */
const gatherMs = 200

/** Reports gathered for one write at most. */
const gatherMax = 1_000

/** Where the journal's reader stands in the stream of reports. */
const checkpointName = "wire"

/**
 * Writes what speakers told their routers into the wire journal, for as long as it runs. Reports of one VIP and stamp that
 * come within a fifth of a second share a row. Rows and the reader's place are written together, and only from the place
 * where it was, so none is lost or written twice, neither by a lost answer nor by two who lead for a moment.
 */
export const keepWireJournal: Effect.Effect<never, never, Bus | Ledger> = Effect.gen(function* () {
  const ledger = yield* Ledger
  const checkpoint = yield* ledger.checkpoint(checkpointName)
  const told = new Set<string>()
  let position = Option.match(checkpoint, { onNone: () => 0, onSome: (found) => found.position })
  const move = Effect.fnUntraced(function* (last: StoredMessage, rows: ReadonlyArray<WireRow>) {
    const move = { name: checkpointName, version: 1, position: last.sequence, after: position }
    if (!(yield* ledger.appendWire(rows, move))) return yield* new PlaceLost({ after: position })
    position = last.sequence
  })
  /** A report that the database cannot store is found by halves, and passed over: it must not keep the others from it. */
  const write = (messages: ReadonlyArray<StoredMessage>): Effect.Effect<void, Unavailable | PlaceLost> => {
    const last = messages.at(-1)
    if (last === undefined) return Effect.void
    const { rows, unread } = readReports(messages)
    return move(last, rows).pipe(
      Effect.tap(() => passOver(told, unread)),
      Effect.catchIf(
        (error) => error._tag === "Unavailable" && error.isUnstorable,
        (error) => {
          const half = messages.length >> 1
          if (half > 0) return Effect.andThen(write(messages.slice(0, half)), write(messages.slice(half)))
          const refused = { ...senderOf(last.subject), count: 1, why: printable(error.message) }
          return Effect.andThen(move(last, [unreadRow(refused)]), passOver(told, [refused]))
        }
      )
    )
  }
  yield* followStream(wireStream, wireFilter, position + 1).pipe(
    Stream.groupedWithin(gatherMax, gatherMs),
    Stream.runForEach((messages) => write(messages))
  )
}).pipe(
  Effect.tapError((error) => Effect.logWarning(`the wire journal reads its place again: ${error.message}`)),
  Effect.retry(Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("2 seconds")])),
  Effect.orDie,
  Effect.andThen(Effect.never)
)

/** The reader's place in the database is another than it went on from: it reads its place again. */
class PlaceLost extends Data.TaggedError("PlaceLost")<{ readonly after: number }> {
  override get message() {
    return `expected the checkpoint at ${this.after}`
  }
}

/** Reports of one node, in one write, that are not in the journal: a row that says so stands in their place. */
export interface UnreadReports {
  readonly cluster: string
  readonly node: string
  readonly count: number
  /** What the first of them was expected to be, and what was found. */
  readonly why: string
}

const passedOver = Metric.counter("lowtide_wire_reports_passed_over_total", {
  description: "Reports that the wire journal lacks since they could not be read or stored",
  incremental: true
})

/** Shows the count from the start: a counter that begins with its first increase is not seen to rise. */
export const beginCounting: Effect.Effect<void> = Metric.update(passedOver, 0)

/** Nodes and reasons that are remembered as logged. */
const toldMax = 1_000

/** Counts what of a batch the journal lacks; each node's reason is logged once. */
const passOver = (told: Set<string>, unread: ReadonlyArray<UnreadReports>): Effect.Effect<void> =>
  Effect.forEach(
    unread,
    ({ cluster, node, count, why }) =>
      Effect.gen(function* () {
        yield* Metric.update(passedOver, count)
        const key = `${cluster}/${node} ${why}`
        if (told.has(key)) return
        if (told.size >= toldMax) told.clear()
        told.add(key)
        yield* Effect.logWarning(
          `LT0510 ${codes.LT0510.title}: ${plural(count, "report")} of ${cluster}/${node}: ${why}; more of it is counted, and not logged. Fix: ${codes.LT0510.fix}`
        )
      }),
    { discard: true }
  )

type Applied = Extract<WireEntry, { readonly _tag: "Applied" }>

/**
 * One row for each VIP and stamp of a cluster, whatever the number of nodes; sessions and status writes one each. In place
 * of a node's reports that cannot be read or stored, or that speak for another node than their subject, stands one row.
 */
export const readReports = (
  messages: ReadonlyArray<StoredMessage>
): { readonly rows: ReadonlyArray<WireRow>; readonly unread: ReadonlyArray<UnreadReports> } => {
  const unread = new Map<string, UnreadReports>()
  const rows: Array<WireRow> = []
  const applied = new Map<
    string,
    { readonly first: Applied; readonly cluster: string; readonly entries: Array<unknown> }
  >()
  for (const { subject, text } of messages) {
    const decoded = decodeReport(text)
    const fault = Result.isFailure(decoded) ? decoded.failure.message : faultOf(decoded.success, subject, text)
    if (Result.isFailure(decoded) || fault !== undefined) {
      const { count, why } = unread.get(subject) ?? { count: 0, why: printable(fault ?? "") }
      unread.set(subject, { ...senderOf(subject), count: count + 1, why })
      continue
    }
    const report = decoded.success
    const { cluster, node } = report
    for (const entry of report.entries) {
      if (entry._tag !== "Applied") {
        rows.push(rowOf(cluster, node, entry))
        continue
      }
      const key = `${cluster} ${entry.network} ${entry.address} ${JSON.stringify(entry.stamp)}`
      const { verdict, trigger, receivedAt, savedAt, byHand, peers } = entry
      const said = { node, verdict, trigger, receivedAt, savedAt, ...(byHand && { byHand }), peers }
      const group = applied.get(key)
      if (group === undefined) applied.set(key, { first: entry, cluster, entries: [said] })
      else group.entries.push(said)
    }
  }
  for (const { first, cluster, entries } of applied.values()) {
    rows.push({
      cluster,
      network: first.network,
      address: first.address,
      stampIncarnation: first.stamp.incarnation,
      stampEpoch: first.stamp.epoch,
      stampSeq: first.stamp.seq,
      kind: "applied",
      detail: JSON.stringify({ entries })
    })
  }
  return { rows: [...rows, ...[...unread.values()].map(unreadRow)], unread: [...unread.values()] }
}

/** The kind of the rows that stand for reports that are not in the journal. */
export const unreadKind = "unread"

const unreadRow = ({ cluster, node, count, why }: UnreadReports): WireRow => ({
  ...{ cluster, node, kind: unreadKind },
  detail: JSON.stringify({ count, why })
})

/** Of a reason, which holds another's text, as much as a line has room for, and what the database stores. */
const printable = (text: string): string =>
  text
    .replaceAll(/[\s\p{Cc}]+/gu, " ")
    .toWellFormed()
    .slice(0, 300)
    .toWellFormed()

const faultOf = (report: WireReport, subject: string, text: string): string | undefined => {
  const { cluster, node } = report
  if (wireSubject(cluster, node) !== subject)
    return `expected a report of this subject, found one of ${cluster}/${node}`
  const unstorable = text.includes("\\u") ? unstorableIn(report) : undefined
  return unstorable === undefined ? undefined : `expected ${storableText}, found ${unstorable}`
}

const rowOf = (cluster: string, node: string, entry: Exclude<WireEntry, Applied>): WireRow => {
  switch (entry._tag) {
    case "Session": {
      const { peer, change, at, code, detail } = entry
      return { cluster, node, peer, kind: "session", detail: JSON.stringify({ change, at, code, detail }) }
    }
    case "StatusWritten": {
      const { namespace, name, at, stamp } = entry
      return {
        cluster,
        node,
        stampIncarnation: stamp.incarnation,
        stampEpoch: stamp.epoch,
        stampSeq: stamp.seq,
        kind: "status-written",
        detail: JSON.stringify({ namespace, name, at })
      }
    }
  }
}

const decodeReport = Schema.decodeUnknownResult(Schema.fromJsonString(WireReport))
