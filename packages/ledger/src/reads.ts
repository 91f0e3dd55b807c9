import { Effect, Option } from "effect"
import { type Kysely, type RawBuilder, type Selectable, sql } from "kysely"
import type { StoredCommandResult, StoredHistory } from "./batch.ts"
import { ask } from "./database.ts"
import type { EventFilter, EventSelection, StoredEvent } from "./event.ts"
import type { Head, PartitionRange } from "./ledger.ts"
import type { LedgerTables } from "./tables.ts"

/** The port's questions about the log and its views. They see what is committed, never a batch in flight. */
export const makeReads = (db: Kysely<LedgerTables>) => ({
  commandResult: Effect.fn("Ledger.commandResult")((commandId: string) =>
    ask("commandResult", () =>
      db.selectFrom("command_result").selectAll().where("command_id", "=", commandId).executeTakeFirst()
    ).pipe(Effect.map((row) => Option.map(Option.fromNullishOr(row), toCommandResult)))
  ),
  intentsSince: Effect.fn("Ledger.intentsSince")((cluster: string, cseq: number) =>
    ask("intentsSince", () =>
      db
        .selectFrom("intent")
        .select(["cluster", "subject", "cseq", "seq", "envelope"])
        .where("cluster", "=", cluster)
        .where("cseq", ">", cseq)
        .orderBy("cseq")
        .execute()
    )
  ),
  intentHeads: ask("intentHeads", () => db.selectFrom("intent_head").selectAll().orderBy("cluster").execute()).pipe(
    Effect.map((rows) =>
      rows.map(({ begun_cseq: begunCseq, ...row }) => ({ ...row, ...(begunCseq === null ? {} : { begunCseq }) }))
    )
  ),
  signedBy: ask("signedBy", () => countSigners.execute(db)).pipe(
    Effect.map(({ rows }) => new Map(rows.map(({ key_id, count }) => [key_id, Number(count)])))
  ),
  events: Effect.fn("Ledger.events")((filter: EventFilter) =>
    ask("events", () => selectEvents(db, filter).execute()).pipe(Effect.map((rows) => rows.map(toEvent)))
  ),
  hasEvent: Effect.fn("Ledger.hasEvent")((selection: EventSelection) =>
    ask("hasEvent", () => selectAny(db, selection).executeTakeFirst()).pipe(Effect.map((row) => row !== undefined))
  ),
  countEvents: Effect.fn("Ledger.countEvents")((filter: EventSelection) =>
    ask("countEvents", () =>
      eventsWhere(db, filter).select(sql<number>`count(*)`.as("count")).executeTakeFirstOrThrow()
    ).pipe(Effect.map(({ count }) => count))
  ),
  actors: Effect.fn("Ledger.actors")((limit: number) =>
    ask("actors", () => actorsUpTo(limit).execute(db)).pipe(Effect.map(({ rows }) => rows.map(({ actor }) => actor)))
  ),
  eventTypes: ask("eventTypes", () => db.selectFrom("event_type").selectAll().orderBy("first_seq").execute()).pipe(
    Effect.map((rows) => rows.map(({ type, schema, first_seq: firstSeq }) => ({ type, schema, firstSeq })))
  ),
  holderAt: Effect.fn("Ledger.holderAt")(
    (query: { readonly network: string; readonly address: string; readonly at: string }) =>
      ask("holderAt", () =>
        historyOf(db, query)
          .where("valid_from", "<=", query.at)
          .where("valid_to", ">", query.at)
          .orderBy("from_seq", "desc")
          .limit(1)
          .executeTakeFirst()
      ).pipe(Effect.map((row) => (row === undefined ? null : toHistory(row))))
  ),
  history: Effect.fn("Ledger.history")((query: { readonly network: string; readonly address: string }) =>
    ask("history", () => historyOf(db, query).orderBy("from_seq").execute()).pipe(
      Effect.map((rows) => rows.map(toHistory))
    )
  ),
  head: ask("head", () => db.selectFrom("log_head").selectAll().executeTakeFirstOrThrow()).pipe(Effect.map(toHead)),
  headAt: Effect.fn("Ledger.headAt")((at: string) =>
    ask("headAt", () => sql<{ seq: number }>`select ledger_seq_at(${at}::timestamptz) as seq`.execute(db)).pipe(
      Effect.map(({ rows: [row] }) => row?.seq ?? 0)
    )
  ),
  ensurePlaces: Effect.fn("Ledger.ensurePlaces")((seq: number) =>
    ask("ensurePlaces", () =>
      sql<{ until: number }>`select ledger_ensure_partitions(${seq}) as until`.execute(db)
    ).pipe(Effect.map(({ rows: [row] }) => row?.until ?? 0))
  ),
  partitions: ask("partitions", () =>
    sql<PartitionRange>`select from_seq as "fromSeq", to_seq as "toSeq" from ledger_partitions()`.execute(db)
  ).pipe(Effect.map(({ rows }) => rows)),
  firstEvent: ask("firstEvent", () => selectEvents(db, { limit: 1, order: "asc" }).execute()).pipe(
    Effect.map(([row]) => (row === undefined ? undefined : toEvent(row)))
  ),
  dropSegment: Effect.fn("Ledger.dropSegment")(({ fromSeq, toSeq }: PartitionRange) =>
    ask("dropSegment", () =>
      sql<{ dropped: boolean }>`select ledger_drop_segment(${fromSeq}, ${toSeq}) as dropped`.execute(db)
    ).pipe(Effect.map(({ rows: [row] }) => row?.dropped === true))
  ),
  dropWire: Effect.fn("Ledger.dropWire")((untilId: number, limit: number) =>
    ask("dropWire", () =>
      sql<{ dropped: number }>`select ledger_drop_wire(${untilId}, ${limit}::int) as dropped`.execute(db)
    ).pipe(Effect.map(({ rows: [row] }) => row?.dropped ?? 0))
  ),
  dropCommandResults: Effect.fn("Ledger.dropCommandResults")((before: string, limit: number) =>
    ask("dropCommandResults", () =>
      sql`delete from command_result where ctid = any (array(
        select ctid from command_result where recorded_at < ${before}::timestamptz limit ${limit}::int))`.execute(db)
    ).pipe(Effect.map(({ numAffectedRows }) => Number(numAffectedRows ?? 0)))
  ),
  placesUntil: Effect.fn("Ledger.placesUntil")((seq: number) =>
    ask("placesUntil", () => sql<{ until: number }>`select ledger_places_until(${seq}) as until`.execute(db)).pipe(
      Effect.map(({ rows: [row] }) => row?.until ?? 0)
    )
  ),
  now: ask("now", () =>
    sql<{ now: string }>`select date_trunc('milliseconds', clock_timestamp()) as now`.execute(db)
  ).pipe(Effect.map(({ rows: [row] }) => row?.now ?? ""))
})

/** An envelope ends with the key's id and the signature, so its end is enough; what is signed comes before them. */
const countSigners = sql<{ key_id: string; count: string }>`
  select substring(right(envelope, 300) from '"keyId":"([^"]*)","sig":"[^"]*"}$') as key_id, count(*) as count
  from (select envelope from intent union all select envelope from intent_head) as messages
  where envelope like '%"sig":"%' group by 1 order by 1`

/** The query by which events are read. */
export const selectEvents = (db: Kysely<LedgerTables>, filter: EventFilter) =>
  eventsWhere(db, filter).selectAll().orderBy(placeIn("seq", filter.prefix), filter.order).limit(filter.limit)

/** The query by which one is looked for. In no order: one by seq would be read along, past events that are not meant. */
export const selectAny = (db: Kysely<LedgerTables>, selection: EventSelection) =>
  eventsWhere(db, selection).select("seq").limit(1)

/**
 * What rows are put in order by. Of a narrow prefix it is no column, so that they are found by the index of addresses and
 * then sorted: PostgreSQL does not know how few rows an IPv6 prefix has (to its statistics all of a /32 are alike), and would
 * go through the whole log in its order.
 */
export const placeIn = (column: "seq" | "id", prefix: string | undefined): RawBuilder<number> => {
  const [address = "", length] = prefix?.split("/") ?? []
  const hostBits = length === undefined ? 0 : (address.includes(":") ? 128 : 32) - Number(length)
  return prefix !== undefined && hostBits <= 16 ? sql`${sql.ref(column)} + 0` : sql.ref(column)
}

const eventsWhere = (db: Kysely<LedgerTables>, filter: EventSelection) => {
  let query = db.selectFrom("events")
  const equal = {
    address: filter.address,
    network: filter.network,
    cluster: filter.cluster,
    namespace: filter.namespace,
    service: filter.service,
    pool: filter.pool,
    stream: filter.stream,
    correlation_id: filter.correlationId,
    actor: filter.actor,
    type: filter.type
  }
  for (const [column, value] of Object.entries(equal)) {
    if (value !== undefined) query = query.where(column as keyof typeof equal, "=", value)
  }
  if (filter.prefix !== undefined) query = query.where(sql<boolean>`address <<= ${filter.prefix}::inet`)
  if (filter.sinceSeq !== undefined) query = query.where("seq", ">=", filter.sinceSeq)
  if (filter.untilSeq !== undefined) query = query.where("seq", "<=", filter.untilSeq)
  return query
}

const historyOf = (db: Kysely<LedgerTables>, query: { readonly network: string; readonly address: string }) =>
  db.selectFrom("vip_history").selectAll().where("network", "=", query.network).where("address", "=", query.address)

const toEvent = (row: Selectable<LedgerTables["events"]>): StoredEvent => ({
  seq: row.seq,
  epoch: row.epoch,
  commitSeq: row.commit_seq,
  eventId: row.event_id,
  stream: row.stream,
  version: row.version,
  type: row.type,
  schema: row.schema,
  recordedAt: row.recorded_at,
  ...present({
    observedAt: row.observed_at,
    network: row.network,
    address: row.address,
    pool: row.pool,
    cluster: row.cluster,
    namespace: row.namespace,
    service: row.service,
    serviceUid: row.service_uid,
    causationSeq: row.causation_seq
  }),
  actor: row.actor,
  actorKind: row.actor_kind,
  commandId: row.command_id,
  correlationId: row.correlation_id,
  reasonCode: row.reason_code,
  data: row.data,
  meta: row.meta,
  leafHash: Buffer.from(row.leaf_hash).toString("hex")
})

const toHistory = (row: Selectable<LedgerTables["vip_history"]>): StoredHistory => ({
  network: row.network,
  address: row.address,
  ...(row.member === "" ? {} : { member: row.member }),
  fromSeq: row.from_seq,
  toSeq: row.to_seq,
  validFrom: row.valid_from,
  validTo: row.valid_to === "infinity" ? null : row.valid_to,
  state: row.state,
  pool: row.pool,
  holders: row.holders,
  reasonCode: row.reason_code,
  actor: row.actor
})

const toCommandResult = (row: Selectable<LedgerTables["command_result"]>): StoredCommandResult => ({
  commandId: row.command_id,
  ...present({ seqFrom: row.seq_from, seqTo: row.seq_to }),
  outcome: row.outcome,
  recordedAt: row.recorded_at
})

const toHead = (row: Selectable<LedgerTables["log_head"]>): Head => ({
  incarnation: row.incarnation,
  epoch: row.epoch,
  seq: row.seq,
  commitSeq: row.commit_seq,
  recordedAt: row.recorded_at
})

/** Without the keys whose column is null. */
export const present = <Value extends object>(
  value: Value
): { readonly [Key in keyof Value]?: NonNullable<Value[Key]> } =>
  Object.fromEntries(Object.entries(value).filter(([, column]) => column !== null)) as {
    readonly [Key in keyof Value]?: NonNullable<Value[Key]>
  }

/** From each actor to the next one by the index of actors, whatever each has written. */
const actorsUpTo = (limit: number) => sql<{ readonly actor: string }>`
  with recursive known (actor) as (
    (select actor from events order by actor limit 1)
    union all
    select (select e.actor from events e where e.actor > known.actor order by e.actor limit 1)
    from known where known.actor is not null
  )
  select actor from known where actor is not null limit ${limit}`
