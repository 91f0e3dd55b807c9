import type { Bus } from "@lowtide/bus/connection"
import { followStream } from "@lowtide/bus/follow-stream"
import type { StoredMessage } from "@lowtide/bus/ordered-consumer"
import { type WireEntry, WireReport } from "@lowtide/bus/status"
import { wireFilter, wireStream, wireSubject } from "@lowtide/bus/subjects"
import { Ledger, type WireRow } from "@lowtide/ledger"
import { Effect, Option, Schedule, Schema, type Scope, Stream } from "effect"

/** Reports that share a row are gathered for this long at most. */
const gatherMs = 200

/** Reports gathered for one write at most. */
const gatherMax = 1_000

/** Where the journal's reader stands in the stream of reports. */
const checkpointName = "wire"

/**
 * Writes what speakers told their routers into the wire journal, until the scope closes. Reports of one VIP and stamp that
 * come within a fifth of a second share a row; rows and the reader's place are written together, so none is lost or
 * written twice.
 */
export const keepWireJournal: Effect.Effect<void, never, Bus | Ledger | Scope.Scope> = Effect.gen(function* () {
  const ledger = yield* Ledger
  const checkpoint = yield* ledger.checkpoint(checkpointName).pipe(Effect.retry(forever), Effect.orDie)
  const from = Option.match(checkpoint, { onNone: () => 1, onSome: ({ position }) => position + 1 })
  yield* followStream(wireStream, wireFilter, from).pipe(
    Stream.groupedWithin(gatherMax, gatherMs),
    Stream.runForEach((messages) => {
      const last = messages[messages.length - 1]
      return last === undefined
        ? Effect.void
        : ledger.appendWire(wireRows(messages), { name: checkpointName, version: 1, position: last.sequence }).pipe(
            Effect.tapError((error) => Effect.logWarning(`the wire journal waits: ${error.message}`)),
            Effect.retry(forever),
            Effect.orDie
          )
    }),
    Effect.forkScoped
  )
})

const forever = Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("2 seconds")])

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
