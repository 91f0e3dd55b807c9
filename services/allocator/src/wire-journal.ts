import type { Bus } from "@lowtide/bus/connection"
import { followStream } from "@lowtide/bus/follow-stream"
import type { StoredMessage } from "@lowtide/bus/ordered-consumer"
import { type WireEntry, WireReport } from "@lowtide/bus/status"
import { wireFilter, wireStream, wireSubject } from "@lowtide/bus/subjects"
import { Ledger, type WireRow } from "@lowtide/ledger"
import { Data, Effect, Option, Schedule, Schema, Stream } from "effect"

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
  let position = Option.match(checkpoint, { onNone: () => 0, onSome: (found) => found.position })
  yield* followStream(wireStream, wireFilter, position + 1).pipe(
    Stream.groupedWithin(gatherMax, gatherMs),
    Stream.runForEach((messages) =>
      Effect.gen(function* () {
        const last = messages[messages.length - 1]
        if (last === undefined) return
        const move = { name: checkpointName, version: 1, position: last.sequence, after: position }
        if (!(yield* ledger.appendWire(wireRows(messages), move))) return yield* new PlaceLost({ after: position })
        position = last.sequence
      })
    )
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

type Applied = Extract<WireEntry, { readonly _tag: "Applied" }>

/**
 * One row for each VIP and stamp of a cluster, whatever the number of nodes; sessions and status writes one each. A report
 * that cannot be read, or that speaks for another node than its subject, gives none.
 */
export const wireRows = (messages: ReadonlyArray<StoredMessage>): ReadonlyArray<WireRow> => {
  const rows: Array<WireRow> = []
  const applied = new Map<
    string,
    { readonly first: Applied; readonly cluster: string; readonly entries: Array<unknown> }
  >()
  for (const { subject, text } of messages) {
    const report = Option.getOrUndefined(decodeReport(text))
    if (report === undefined || wireSubject(report.cluster, report.node) !== subject) continue
    const { cluster, node } = report
    for (const entry of report.entries) {
      if (entry._tag !== "Applied") {
        rows.push(rowOf(cluster, node, entry))
        continue
      }
      const key = `${cluster} ${entry.network} ${entry.address} ${JSON.stringify(entry.stamp)}`
      const { verdict, trigger, receivedAt, savedAt, peers } = entry
      const said = { node, verdict, trigger, receivedAt, savedAt, peers }
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
  return rows
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

const decodeReport = Schema.decodeUnknownOption(Schema.fromJsonString(WireReport))
