import { randomUUID } from "node:crypto"
import type { KeptStreams, RowKeeper, WaitingRow } from "@lowtide/domain"
import {
  type Batch,
  type Committed,
  type CurrentRow,
  duplicateKey,
  type EventSelection,
  Fenced,
  type Head,
  type HistoryRow,
  Ledger,
  ProjectionConflict,
  type StoredCommandResult,
  type StoredCurrent,
  type StoredEvent,
  type StoredEventType,
  type StoredHistory,
  type StoredWire,
  type WireAt,
  type WireFilter
} from "@lowtide/ledger"
import { leafHash } from "@lowtide/ledger/proofs/leaf"
import { parseIpAddress, parsePrefix, prefixContains } from "@lowtide/net"
import { Effect, Layer, Option, Result } from "effect"
import { MemoryLease } from "./memory-lease.ts"
import { emptyTables, type MemoryTables } from "./memory-tables.ts"

/**
 * The `Ledger` port in memory, with the rules of the PostgreSQL one; both pass the same contract suite. `nowMs` is the
 * database's clock, the system's unless given: a simulation hands in its own, and the tables, which it may set back to a
 * copy of theirs (`restoreTables`).
 */
export const memoryLedger = (
  options: { readonly nowMs?: () => number; readonly tables?: MemoryTables } = {}
): Layer.Layer<Ledger> =>
  Layer.sync(Ledger, () => {
    const nowMs = options.nowMs ?? Date.now
    const tables = options.tables ?? emptyTables(iso(nowMs()))
    const lease = new MemoryLease(nowMs)
    return Ledger.of({
      append: (batch) => Effect.suspend(() => append(tables, batch, nowMs())),
      load: (take) =>
        Effect.sync(() => {
          take.head(tables.head)
          const keptRows = new MemoryRows()
          for (const row of tables.current.values()) take.current(row, keptRows.keeper(row))
          for (const row of tables.intentHeads.values()) take.intentHead?.(row)
          for (const { summary = null, envelope, ...row } of tables.intents.values())
            take.intents?.(row.cluster, [{ ...row, summary, envelope: summary === null ? envelope : null }])
        }),
      acquireLease: (holder, ttlMs) =>
        Effect.sync(() =>
          Option.map(lease.acquire(holder, ttlMs, tables.head.epoch), (epoch) => {
            tables.head = { ...tables.head, epoch }
            return { epoch }
          })
        ),
      renewLease: (epoch, ttlMs) => Effect.sync(() => lease.renew(epoch, ttlMs)),
      releaseLease: (epoch) => Effect.sync(() => lease.release(epoch)),
      raiseIncarnation: (epoch, atLeast) =>
        Effect.sync(() => {
          if (tables.head.epoch !== epoch) return
          tables.head = { ...tables.head, incarnation: Math.max(tables.head.incarnation, atLeast) }
          tables.recoveryOrder = null
        }),
      recoveryOrder: Effect.sync(() => tables.recoveryOrder),
      orderRecovery: (why) =>
        Effect.sync(() => {
          tables.recoveryOrder = why
        }),
      reportAllocator: (report) =>
        Effect.sync(() => {
          const seenAt = iso(nowMs())
          const startedAt = tables.allocators.get(report.id)?.startedAt ?? seenAt
          tables.allocators.set(report.id, { ...report, startedAt, seenAt })
        }),
      forgetAllocator: (id) => Effect.sync(() => void tables.allocators.delete(id)),
      allocators: Effect.sync(() =>
        [...tables.allocators.values()]
          .map((allocator) => ({ ...allocator, leads: lease.isHeldBy(allocator.id) }))
          .sort((left, right) => (left.name < right.name ? -1 : 1))
      ),
      commandResult: (id) => Effect.sync(() => Option.fromNullishOr(tables.results.get(id))),
      events: (filter) => Effect.sync(() => page(tables.events.filter(matches(filter)), filter)),
      changes: (sinceSeq, limit) =>
        Effect.sync(() =>
          tables.events
            .filter(({ seq }) => seq >= sinceSeq && seq < sinceSeq + limit)
            .map(({ seq, epoch, commitSeq, stream, version, type, schema, recordedAt, data }) => ({
              ...{ seq, epoch, commitSeq, stream, version, type, schema, recordedAt, ...afterOrData(stream, data) }
            }))
        ),
      hasEvent: (selection) => Effect.sync(() => tables.events.some(matches(selection))),
      countEvents: (selection) => Effect.sync(() => tables.events.filter(matches(selection)).length),
      holderAt: ({ network, address, at }) =>
        Effect.sync(() => {
          const instant = iso(Date.parse(at))
          const holds = (row: StoredHistory) =>
            row.validFrom <= instant && (row.validTo === null || row.validTo > instant)
          return historyOf(tables, network, address).findLast(holds) ?? null
        }),
      history: ({ network, address }) => Effect.sync(() => [...historyOf(tables, network, address)]),
      head: Effect.sync(() => tables.head),
      ensurePlaces: () => Effect.succeed(Number.MAX_SAFE_INTEGER),
      // One partition without end, which nobody can archive.
      partitions: Effect.succeed([]),
      firstEvent: Effect.sync(() => tables.events[0]),
      dropSegment: () => Effect.succeed(false),
      dropWire: (untilId, limit) =>
        Effect.sync(() => {
          const gone = tables.wire.filter(({ id }) => id <= untilId).slice(0, limit)
          tables.wire.splice(0, gone.length)
          return gone.length
        }),
      dropCommandResults: (before, limit) =>
        Effect.sync(() => {
          const old = [...tables.results.values()].filter(({ recordedAt }) => recordedAt < before).slice(0, limit)
          for (const { commandId } of old) tables.results.delete(commandId)
          return old.length
        }),
      placesUntil: () => Effect.succeed(Number.MAX_SAFE_INTEGER),
      intentsSince: (cluster, cseq) =>
        Effect.sync(() =>
          [...tables.intents.values()]
            .filter((intent) => intent.cluster === cluster && intent.cseq > cseq)
            .map(({ summary: _, ...intent }) => intent)
            .sort((left, right) => left.cseq - right.cseq)
        ),
      intentHeads: Effect.sync(() =>
        [...tables.intentHeads.values()].sort((left, right) => (left.cluster < right.cluster ? -1 : 1))
      ),
      signedBy: Effect.sync(() => {
        const counts = new Map<string, number>()
        for (const { envelope } of [...tables.intents.values(), ...tables.intentHeads.values()]) {
          const keyId = signerOf(envelope)
          if (keyId !== undefined) counts.set(keyId, (counts.get(keyId) ?? 0) + 1)
        }
        return counts
      }),
      subjectsSignedBy: (keyIds, { cluster, sinceCseq, limit }) =>
        Effect.sync(() =>
          [...tables.intents.values()]
            .filter((intent) => intent.cluster === cluster && intent.cseq > sinceCseq)
            .filter(({ envelope }) => keyIds.includes(signerOf(envelope) ?? ""))
            .sort((left, right) => left.cseq - right.cseq)
            .map(({ subject, cseq }) => ({ subject, cseq }))
            .slice(0, limit)
        ),
      signedTexts: (cluster, subjects) =>
        Effect.sync(() =>
          subjects
            .flatMap((subject) => tables.intents.get(`${cluster} ${subject}`) ?? [])
            .map(({ cluster, subject, cseq, envelope }) => ({ cluster, subject, cseq, envelope }))
            .sort((left, right) => left.cseq - right.cseq)
        ),
      signAnew: (epoch, signatures) =>
        Effect.sync(() => {
          if (tables.head.epoch !== epoch) return false
          for (const { cluster, subject, former, envelope } of signatures) {
            const head = subject === null ? tables.intentHeads.get(cluster) : undefined
            if (head?.envelope === former) tables.intentHeads.set(cluster, { ...head, envelope })
            const key = `${cluster} ${subject}`
            const intent = subject === null ? undefined : tables.intents.get(key)
            if (intent?.envelope === former) tables.intents.set(key, { ...intent, envelope })
          }
          return true
        }),
      headAt: (at) =>
        Effect.sync(() => tables.events.findLast((event) => event.recordedAt <= iso(Date.parse(at)))?.seq ?? 0),
      actors: (limit) =>
        Effect.sync(() => [...new Set(tables.events.map(({ actor }) => actor))].sort().slice(0, limit)),
      eventTypes: Effect.sync(() => eventTypes(tables)),
      streamState: (stream) => Effect.sync(() => tables.current.get(stream) ?? null),
      stateAt: (seq) => Effect.sync(() => stateAt(tables, seq)),
      wireAt: (query) => Effect.sync(() => wireAt(tables, query)),
      now: Effect.sync(() => iso(nowMs())),
      appendWire: (rows, move) =>
        Effect.sync(() => {
          if (move !== undefined) {
            const { after, ...checkpoint } = move
            const key = `${move.name}/${move.version}`
            if ((tables.checkpoints.get(key)?.position ?? 0) !== after) return false
            tables.checkpoints.set(key, checkpoint)
          }
          const recordedAt = iso(nowMs())
          for (const row of rows) tables.wire.push({ ...row, id: (tables.wire.at(-1)?.id ?? 0) + 1, recordedAt })
          return true
        }),
      recordRead: (read) =>
        Effect.sync(() => {
          const id = (tables.auditReads.at(-1)?.id ?? 0) + 1
          tables.auditReads.push({ ...read, id, readAt: iso(nowMs()) })
        }),
      dropReads: (before, limit) =>
        Effect.sync(() => {
          const old = tables.auditReads.filter(({ readAt }) => readAt < before).slice(0, limit)
          tables.auditReads.splice(0, old.length)
          return old.length
        }),
      countReads: Effect.sync(() => tables.auditReads.length),
      auditReads: ({ actor, since, until, before, limit }) =>
        Effect.sync(() =>
          tables.auditReads
            .filter(
              (read) =>
                (actor === undefined || read.actor === actor) &&
                (since === undefined || read.readAt >= iso(Date.parse(since))) &&
                (until === undefined || read.readAt <= iso(Date.parse(until))) &&
                (before === undefined || read.id < before)
            )
            .slice(-limit)
            .reverse()
        ),
      wire: (filter) => Effect.sync(() => page(tables.wire.filter(wireMatches(filter)), filter)),
      checkpoint: (name) =>
        Effect.sync(() => {
          const ofName = [...tables.checkpoints.values()].filter((checkpoint) => checkpoint.name === name)
          return Option.fromNullishOr(ofName.sort((a, b) => b.version - a.version)[0])
        }),
      saveCheckpoint: (checkpoint) =>
        Effect.sync(() => void tables.checkpoints.set(`${checkpoint.name}/${checkpoint.version}`, checkpoint)),
      // Here the views are the log's own arrays: there is nothing that could differ.
      replayPage: () => Effect.succeed({ compared: 0, next: null, differences: [] }),
      replayStreams: () => Effect.succeed([]),
      saveReplayFindings: () => Effect.void,
      endReplay: () => Effect.void,
      replayStanding: Effect.succeed({ last: null, ageMs: null, findings: [] }),
      treeHashes: (level, from, count) =>
        Effect.sync(() =>
          level === 0
            ? tables.events
                .slice(from, from + count)
                .map((event) => ({ level, index: event.seq - 1, hash: Buffer.from(event.leafHash, "hex") }))
            : [...tables.treeNodes.values()]
                .filter((node) => node.level === level && node.index >= from && node.index < from + count)
                .sort((a, b) => a.index - b.index)
        ),
      treeNodeCount: (level) =>
        Effect.sync(
          () =>
            1 +
            Math.max(-1, ...[...tables.treeNodes.values()].filter((node) => node.level === level).map((n) => n.index))
        ),
      saveTreeNodes: (nodes) =>
        Effect.sync(() => {
          for (const node of nodes) {
            const key = `${node.level}/${node.index}`
            if (!tables.treeNodes.has(key)) tables.treeNodes.set(key, node)
          }
        }),
      saveSignedCheckpoint: (checkpoint) =>
        Effect.sync(() => {
          const key = `${checkpoint.incarnation}/${checkpoint.treeSize}`
          if (!tables.signedCheckpoints.has(key)) tables.signedCheckpoints.set(key, checkpoint)
        }),
      signedCheckpoints: ({ sinceSize = 0, ...filter }) =>
        Effect.sync(() => {
          const found = [...tables.signedCheckpoints.values()]
            .filter(({ treeSize }) => treeSize >= sinceSize)
            .sort((a, b) => a.incarnation - b.incarnation || a.treeSize - b.treeSize)
          return page(found, filter)
        })
    })
  })

const iso = (ms: number) => new Date(ms).toISOString()

/** Checks everything first, so that a refused batch leaves every table as it was. */
const append = (
  tables: MemoryTables,
  batch: Batch,
  nowMs: number
): Effect.Effect<Committed, Fenced | ProjectionConflict> => {
  const { epoch, seq } = tables.head
  const duplicate = duplicateKey(batch)
  if (duplicate !== undefined)
    return Effect.die(new Error(`ledger batch: expected each key once, found ${duplicate} twice`))
  if (epoch !== batch.expected.epoch || seq !== batch.expected.seq) {
    return Effect.fail(new Fenced({ expected: batch.expected, found: { epoch, seq } }))
  }
  const conflict = batch.current.map(versionConflict(tables)).find((detail) => detail !== undefined)
  const repeated = batch.results.find((result) => tables.results.has(result.commandId))
  if (conflict !== undefined || repeated !== undefined) {
    return Effect.fail(new ProjectionConflict({ detail: conflict ?? `command ${repeated?.commandId} has a result` }))
  }
  const recordedAt = [tables.head.recordedAt, iso(nowMs)].sort()[1]!
  tables.head = { ...tables.head, seq: seq + batch.events.length, commitSeq: tables.head.commitSeq + 1, recordedAt }
  write(tables, batch, tables.head)
  const leaves = tables.events.slice(seq).map((event) => Buffer.from(event.leafHash, "hex"))
  const committed: Committed = { seq: tables.head.seq, commitSeq: tables.head.commitSeq, recordedAt, leaves }
  return Effect.succeed(committed)
}

const versionConflict = (tables: MemoryTables) => (row: CurrentRow) => {
  const found = tables.current.get(row.stream)?.version ?? 0
  return found === row.previousVersion
    ? undefined
    : `stream ${row.stream}: expected version ${row.previousVersion}, found ${found}`
}

const write = (tables: MemoryTables, batch: Batch, { epoch, commitSeq, recordedAt }: Head) => {
  for (const [index, event] of batch.events.entries()) {
    const seq = batch.expected.seq + 1 + index
    const stored = { ...event, seq, epoch, commitSeq, recordedAt, eventId: randomUUID() }
    tables.events.push(withoutUndefined({ ...stored, leafHash: Buffer.from(leafHash(stored)).toString("hex") }))
  }
  for (const { previousVersion: _, ...row } of batch.current) {
    tables.current.set(row.stream, { ...row, recordedAt, isAsWritten: row.state !== null } satisfies StoredCurrent)
  }
  for (const row of [...batch.history].sort((a, b) => a.seq - b.seq)) openHistory(tables, row, recordedAt)
  for (const { envelope, ...row } of batch.intents) {
    const key = `${row.cluster} ${row.subject}`
    if (envelope === null) tables.intents.delete(key)
    else tables.intents.set(key, { ...row, envelope })
  }
  for (const row of batch.intentHeads) tables.intentHeads.set(row.cluster, row)
  for (const row of batch.results) {
    tables.results.set(row.commandId, withoutUndefined({ ...row, recordedAt }) satisfies StoredCommandResult)
  }
}

const openHistory = (tables: MemoryTables, { seq, ...row }: HistoryRow, recordedAt: string) => {
  const rows = historyOf(tables, row.network, row.address)
  const index = rows.findLastIndex(({ member }) => member === row.member)
  const open = rows[index]
  if (open !== undefined) rows[index] = { ...open, toSeq: seq, validTo: recordedAt }
  rows.push({ ...row, fromSeq: seq, toSeq: null, validFrom: recordedAt, validTo: null })
  tables.history.set(`${row.network} ${row.address}`, rows)
}

const historyOf = (tables: MemoryTables, network: string, address: string): Array<StoredHistory> =>
  tables.history.get(`${network} ${address}`) ?? []

const columns = ["address", "network", "cluster", "namespace", "service", "pool", "stream", "correlationId"] as const

const matches = (filter: EventSelection) => (event: StoredEvent) =>
  same(filter, event, [...columns, "actor", "type"]) &&
  isInPrefix(filter.prefix, event.address) &&
  event.seq >= (filter.sinceSeq ?? 0) &&
  event.seq <= (filter.untilSeq ?? Number.MAX_SAFE_INTEGER)

const eventTypes = (tables: MemoryTables): ReadonlyArray<StoredEventType> => {
  const first = new Map<string, StoredEventType>()
  for (const { type, schema, seq } of tables.events) {
    const key = `${type}/${schema}`
    if (!first.has(key)) first.set(key, { type, schema, firstSeq: seq })
  }
  return [...first.values()]
}

const stateAt = (tables: MemoryTables, seq: number): ReadonlyArray<StoredCurrent> => {
  const newest = new Map<string, StoredEvent>()
  for (const event of tables.events) if (event.seq <= seq) newest.set(event.stream, event)
  return [...newest.values()]
    .sort((left, right) => left.seq - right.seq)
    .map(({ stream, version, seq, schema, recordedAt, data }) => {
      const { after } = JSON.parse(data) as { readonly after?: unknown }
      const kind = tables.current.get(stream)?.kind ?? ""
      return { stream, kind, version, seq, schema, recordedAt, state: after == null ? null : JSON.stringify(after) }
    })
}

const wireAt = (tables: MemoryTables, { at, vips, sessions, rowsEachMax }: WireAt): ReadonlyArray<StoredWire> => {
  const rows = tables.wire.filter(({ recordedAt }) => recordedAt <= iso(Date.parse(at)))
  const newest = (filter: Omit<WireFilter, "limit" | "order">) =>
    page(rows.filter(wireMatches({ ...filter, limit: rowsEachMax, order: "desc" })), {
      limit: rowsEachMax,
      order: "desc"
    })
  return [
    ...vips.flatMap((vip) => newest({ ...vip, kind: "applied" })),
    ...sessions.flatMap((session) => newest({ ...session, kind: "session" }))
  ]
}

const wireMatches = (filter: WireFilter) => (row: StoredWire) =>
  same(filter, row, ["network", "address", "cluster", "node", "peer", "kind"]) &&
  isInPrefix(filter.prefix, row.address) &&
  row.id > (filter.sinceId ?? 0) &&
  row.id < (filter.beforeId ?? Number.POSITIVE_INFINITY) &&
  (filter.untilAt === undefined || row.recordedAt <= iso(Date.parse(filter.untilAt)))

const isInPrefix = (prefix: string | undefined, address: string | undefined): boolean =>
  prefix === undefined ||
  (address !== undefined &&
    prefixContains(Result.getOrThrow(parsePrefix(prefix)), Result.getOrThrow(parseIpAddress(address))))

const same = <Key extends string>(
  filter: { readonly [K in Key]?: string | undefined },
  row: { readonly [K in Key]?: string | undefined },
  keys: ReadonlyArray<Key>
) => keys.every((key) => filter[key] === undefined || filter[key] === row[key])

/** Rows are stored in ascending order. */
const page = <Row>(rows: ReadonlyArray<Row>, { order, limit }: { order: "asc" | "desc"; limit: number }) =>
  (order === "asc" ? rows : rows.toReversed()).slice(0, limit)

const withoutUndefined = <Value extends object>(value: Value): Value =>
  Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as Value

/** An event's data as far as it changes the state. */
/** Rows that a load leaves where they are. */
class MemoryRows implements KeptStreams {
  readonly #rows: Array<StoredCurrent> = []
  readonly #places = new Map<string, number>()

  keeper(row: StoredCurrent): RowKeeper {
    const keep = () => {
      this.#places.set(row.stream, this.#rows.length)
      return this.#rows.push(row) - 1
    }
    return { streams: this, keep }
  }

  find(stream: string): number | undefined {
    return this.#places.get(stream)
  }

  version(row: number): number {
    return this.#rows[row]?.version ?? 0
  }

  seq(row: number): number {
    return this.#rows[row]?.seq ?? 0
  }

  recordedAt(row: number): string {
    return this.#rows[row]?.recordedAt ?? ""
  }

  state(row: number): WaitingRow {
    return this.#rows[row] as WaitingRow
  }

  streams(): Iterable<string> {
    return this.#rows.map(({ stream }) => stream)
  }
}

const afterOrData = (stream: string, data: string) => {
  const after = /^(vip|service):/.test(stream) ? (JSON.parse(data) as { readonly after?: object | null }).after : null
  const hasTag = Object.keys(after ?? {})[0] === "_tag"
  return hasTag ? { after: JSON.stringify(after), data: null } : { after: null, data }
}

const signerOf = (envelope: string): string | undefined => /"keyId":"([^"]*)","sig":"[^"]*"\}$/.exec(envelope)?.[1]
