import { Effect, Option } from "effect"
import { type Kysely, type Selectable, sql } from "kysely"
import type pg from "pg"
import { ask } from "./database.ts"
import { placeIn, present } from "./reads.ts"
import type { LedgerTables } from "./tables.ts"
import type { Checkpoint, CheckpointMove, StoredWire, WireFilter, WireRow } from "./wire.ts"

/**
 * Rows and checkpoint are one statement: the rows are written when there is no checkpoint (`$2` null), or when it moved from
 * where it was to move from (`$5`).
 */
const appendWireStatement = `
with moved as (
  update projection_checkpoint set position = $4::bigint
  where name = $2::text and version = $3::int and position = $5::bigint
  returning 1
), begun as (
  insert into projection_checkpoint (name, version, position)
  select $2::text, $3::int, $4::bigint where $2::text is not null and $5::bigint = 0
  on conflict (name, version) do nothing
  returning 1
), allowed as (
  select 1 where $2::text is null or exists (select 1 from moved) or exists (select 1 from begun)
), written as (
  insert into wire_journal (recorded_at, cluster, network, address, stamp_incarnation, stamp_epoch, stamp_seq, kind, node,
    peer, detail)
  select date_trunc('milliseconds', statement_timestamp()), r.cluster, r.network, r.address, r."stampIncarnation",
    r."stampEpoch", r."stampSeq", r.kind, r.node, r.peer, r.detail::json
  from jsonb_to_recordset($1::jsonb) as r (cluster text, network text, address inet, "stampIncarnation" int,
    "stampEpoch" int, "stampSeq" bigint, kind text, node text, peer text, detail text), allowed
)
select count(*)::int as allowed from allowed`

/** Sets a checkpoint wherever it was. */
const saveCheckpointStatement = `
insert into projection_checkpoint (name, version, position) values ($1, $2, $3)
on conflict (name, version) do update set position = excluded.position`

/** The wire journal and the checkpoints of those who fill it. */
export const makeWireJournal = (pool: pg.Pool, db: Kysely<LedgerTables>) => {
  const appendWire = Effect.fn("Ledger.appendWire")((rows: ReadonlyArray<WireRow>, move?: CheckpointMove) =>
    ask("appendWire", () =>
      pool.query<{ readonly allowed: number }>({
        name: "ledger-append-wire",
        text: appendWireStatement,
        values: [JSON.stringify(rows), move?.name, move?.version, move?.position, move?.after]
      })
    ).pipe(Effect.map(({ rows: [row] }) => row?.allowed === 1))
  )
  return {
    appendWire,
    saveCheckpoint: Effect.fn("Ledger.saveCheckpoint")(({ name, version, position }: Checkpoint) =>
      Effect.asVoid(ask("saveCheckpoint", () => pool.query(saveCheckpointStatement, [name, version, position])))
    ),
    wire: Effect.fn("Ledger.wire")((filter: WireFilter) =>
      ask("wire", () => selectWire(db, filter).execute()).pipe(Effect.map((rows) => rows.map(toWire)))
    ),
    checkpoint: Effect.fn("Ledger.checkpoint")((name: string) =>
      ask("checkpoint", () =>
        db
          .selectFrom("projection_checkpoint")
          .selectAll()
          .where("name", "=", name)
          .orderBy("version", "desc")
          .limit(1)
          .executeTakeFirst()
      ).pipe(Effect.map((row) => Option.fromNullishOr<Checkpoint | undefined>(row)))
    )
  }
}

/** The query by which the wire journal is read. */
export const selectWire = (db: Kysely<LedgerTables>, filter: WireFilter) => {
  let query = db
    .selectFrom("wire_journal")
    .selectAll()
    .orderBy(placeIn("id", filter.prefix), filter.order)
    .limit(filter.limit)
  const equal = {
    network: filter.network,
    address: filter.address,
    cluster: filter.cluster,
    node: filter.node,
    peer: filter.peer,
    kind: filter.kind
  }
  for (const [column, value] of Object.entries(equal)) {
    if (value !== undefined) query = query.where(column as keyof typeof equal, "=", value)
  }
  if (filter.prefix !== undefined) query = query.where(sql<boolean>`address <<= ${filter.prefix}::inet`)
  if (filter.untilAt !== undefined) query = query.where("recorded_at", "<=", filter.untilAt)
  if (filter.beforeId !== undefined) query = query.where("id", "<", filter.beforeId)
  return filter.sinceId === undefined ? query : query.where("id", ">", filter.sinceId)
}

/** A row as the database has it. */
export type WireJournalRow = Selectable<LedgerTables["wire_journal"]>

/** Columns that are null are left out. */
export const toWire = (row: WireJournalRow): StoredWire => ({
  id: row.id,
  recordedAt: row.recorded_at,
  cluster: row.cluster,
  ...present({
    network: row.network,
    address: row.address,
    stampIncarnation: row.stamp_incarnation,
    stampEpoch: row.stamp_epoch,
    stampSeq: row.stamp_seq,
    node: row.node,
    peer: row.peer
  }),
  kind: row.kind,
  detail: row.detail
})
