import { createHash } from "node:crypto"
import { createWriteStream, existsSync, writeFileSync } from "node:fs"
import { rename, rm } from "node:fs/promises"
import { pipeline } from "node:stream/promises"
import { createGzip } from "node:zlib"
import { Data, Effect } from "effect"
import { Kysely, PostgresDialect } from "kysely"
import { Migrator } from "kysely/migration"
import pg from "pg"
import { migrations } from "../../../migrations/index.ts"
import { withClient } from "./client.ts"
import { makePool } from "./database.ts"
import type { Head } from "./ledger.ts"
import { gzipLines } from "./lines.ts"
import { rebuildLeftovers } from "./rebuild.ts"

/**
 * A backup is gzip over lines: `#` and a header, then for each table `#` and its name and columns, a row a line as JSON,
 * and last `#` and how many rows there were with the SHA-256 of every line before. It is one snapshot of the database.
 */
export const backupFormat = "lowtide-backup/1"

/** Why a backup could not be made or used; the database, or the file, is as it was. */
export class BackupFault extends Data.TaggedError("BackupFault")<{
  readonly reason: "exists" | "unwritable" | "damaged" | "newer" | "not-empty" | "unavailable"
  readonly detail: string
}> {
  override get message() {
    return this.detail
  }
}

/** What a backup says of itself. */
export interface BackupHeader {
  readonly format: typeof backupFormat
  /** The newest migration of the database. */
  readonly schema: string
  /** By the database's clock. */
  readonly takenAt: string
  readonly head: Head
}

interface TableHeading {
  readonly table: string
  /** Name and type of each column, as PostgreSQL calls it. */
  readonly columns: ReadonlyArray<readonly [name: string, type: string]>
}

interface Trailer {
  readonly rows: number
  readonly sha256: string
}

/** What was written, or restored. */
export interface BackupSummary extends BackupHeader {
  readonly rows: number
  readonly sha256: string
}

const rowsAtOnce = 2_000

/**
 * Who leads, who runs and what was ordered is of the moment, and a comparison with the log was of the tables of that database;
 * Kysely keeps its own count of migrations.
 */
const leftOut = ["lease", "allocator", "recovery_order", "replay_check"]

const tablesQuery = `
select c.relname as table, (
  select json_agg(json_build_array(a.attname, format_type(a.atttypid, a.atttypmod)) order by a.attnum)
  from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
) as columns
from pg_class c
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
  and c.relname !~ '^kysely_' and c.relname !~ '${rebuildLeftovers}' and c.relname <> all ($1::text[])
order by c.relname`

/** RFC 3339 in UTC, as every answer has times. */
const utc = (time: string): string => `to_char(${time} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`

const headQuery = `
select incarnation, epoch, seq::float8 as seq, commit_seq::float8 as "commitSeq", ${utc("recorded_at")} as "recordedAt",
  ${utc("clock_timestamp()")} as "takenAt", (select max(name) from kysely_migration) as schema
from log_head`

/** Writes everything that the ledger holds to a file that is not there yet: whole, and synced, or not at all. */
export const writeBackup = (url: string, path: string): Effect.Effect<BackupSummary, BackupFault> =>
  attempt(async () => {
    if (existsSync(path)) {
      throw new BackupFault({ reason: "exists", detail: `${path}: expected no such file, found one` })
    }
    const draft = `${path}.part`
    try {
      // Before anything is asked of the database, whose fault it is not.
      writeFileSync(draft, "", { flag: "wx", mode: 0o600 })
    } catch (cause) {
      const found = cause instanceof Error ? cause.message : String(cause)
      throw new BackupFault({
        reason: "unwritable",
        detail: `${path}: expected a file that can be written, found ${found}`
      })
    }
    try {
      const summary = await withClient(url, (client) => writeDraft(client, draft))
      await rename(draft, path)
      return summary
    } finally {
      await rm(draft, { force: true })
    }
  })

const writeDraft = async (client: pg.Client, draft: string): Promise<BackupSummary> => {
  await client.query("begin isolation level repeatable read read only")
  const { takenAt, schema, ...head } = (await client.query(headQuery)).rows[0]
  const header: BackupHeader = { format: backupFormat, schema, takenAt, head }
  const hash = createHash("sha256")
  let trailer: Trailer = { rows: 0, sha256: "" }
  const text = async function* () {
    let rows = 0
    for await (const page of linesOfDatabase(client, header)) {
      rows += page.filter((line) => !line.startsWith("#")).length
      const lines = page.map((line) => `${line}\n`).join("")
      hash.update(lines)
      yield lines
    }
    trailer = { rows, sha256: hash.digest("hex") }
    yield `#${JSON.stringify(trailer)}\n`
  }
  await pipeline(text, createGzip(), createWriteStream(draft, { flush: true }))
  await client.query("commit")
  return { ...header, ...trailer }
}

async function* linesOfDatabase(client: pg.Client, header: BackupHeader): AsyncGenerator<ReadonlyArray<string>> {
  yield [`#${JSON.stringify(header)}`]
  for (const { table, columns } of (await client.query<TableHeading>(tablesQuery, [leftOut])).rows) {
    yield [`#${JSON.stringify({ table, columns })}`]
    const list = columns.map(([name, type]) => (type === "json" ? `${id(name)}::text` : id(name)))
    await client.query(
      `declare backup no scroll cursor for select row_to_json(r)::text as line from (select ${list.join(", ")} from ${id(table)}) r`
    )
    for (;;) {
      const { rows } = await client.query<{ line: string }>(`fetch ${rowsAtOnce} from backup`)
      yield rows.map(({ line }) => line)
      if (rows.length < rowsAtOnce) break
    }
    await client.query("close backup")
  }
}

/**
 * Fills an empty database from a backup, and orders a recovery: what happened after the backup is asked of those who
 * remember it before anything is decided. The file is read to its end and compared with its digest first.
 */
export const restoreBackup = (url: string, path: string): Effect.Effect<BackupSummary, BackupFault> =>
  attempt(async () => {
    const summary = await checkBackup(path)
    await makeSchema(url, summary.schema)
    await withClient(url, async (client) => {
      await client.query("begin")
      // Of every stretch: the function of an older schema makes those about one seq alone.
      await client.query(
        "select ledger_ensure_partitions(seq) from generate_series(1, greatest($1, 1), 5000000) as s (seq)",
        [summary.head.seq]
      )
      let heading: TableHeading | undefined
      let waiting: Array<string> = []
      const flush = async () => {
        if (heading !== undefined && waiting.length > 0) await insert(client, heading, waiting)
        waiting = []
      }
      for await (const line of gzipLines(path)) {
        if (line.startsWith("#")) {
          await flush()
          const found = JSON.parse(line.slice(1)) as Partial<TableHeading>
          // Former releases wrote more.
          const isWanted = found.table !== undefined && !leftOut.includes(found.table)
          heading = isWanted ? (found as TableHeading) : undefined
          if (heading?.table === "log_head") await client.query("delete from log_head")
        } else if (waiting.push(line) === rowsAtOnce) await flush()
      }
      await flush()
      await client.query(
        // Where old rows were removed, the last seal says how far ids have come.
        `select setval('wire_journal_id_seq', 1 + greatest((select max(id) from wire_journal),
          (select (state ->> 'untilId')::bigint from stream_current where stream = 'audit:wire-journal'), 0), false)`
      )
      // An older schema lacks the table.
      const { rows } = await client.query("select to_regclass('public.audit_read') is not null as has")
      if (rows[0].has === true) {
        await client.query(
          "select setval('audit_read_id_seq', 1 + coalesce((select max(id) from audit_read), 0), false)"
        )
      }
      const why = `restored from a backup of ${summary.takenAt}, which ends at event ${summary.head.seq}`
      await client.query("insert into recovery_order (why) values ($1)", [why])
      await client.query("commit")
    })
    return summary
  })

/** Reads the whole file. Answers what it says of itself, or why it is not to be used. */
const checkBackup = async (path: string): Promise<BackupSummary> => {
  const damaged = (found: string) =>
    new BackupFault({
      reason: "damaged",
      detail: `${path}: expected a whole backup of format ${backupFormat}, found ${found}`
    })
  const hash = createHash("sha256")
  let header: BackupHeader | undefined
  let trailer: Trailer | undefined
  let rows = 0
  try {
    for await (const line of gzipLines(path)) {
      if (trailer !== undefined) throw damaged("more after its end")
      const told = line.startsWith("#") ? JSON.parse(line.slice(1)) : undefined
      if (header === undefined) {
        if (told?.format !== backupFormat) throw damaged(`the format ${JSON.stringify(told?.format ?? null)}`)
        header = told as BackupHeader
      }
      if (told?.sha256 !== undefined) trailer = told as Trailer
      else hash.update(`${line}\n`)
      if (told === undefined) rows += 1
    }
  } catch (cause) {
    throw cause instanceof BackupFault ? cause : damaged(cause instanceof Error ? cause.message : String(cause))
  }
  if (header === undefined || trailer === undefined) throw damaged("no end")
  const sha256 = hash.digest("hex")
  if (trailer.sha256 !== sha256 || trailer.rows !== rows) throw damaged("another digest than it names")
  if (!Object.hasOwn(migrations, header.schema)) {
    const detail = `${path}: expected a schema that this release knows, found ${header.schema}; restore it with the release that made it`
    throw new BackupFault({ reason: "newer", detail })
  }
  return { ...header, ...trailer }
}

/** The schema that the backup was taken with; refuses a database that holds anything. */
const makeSchema = async (url: string, schema: string): Promise<void> => {
  const found = await withClient(url, async (client) => {
    const { rows } = await client.query<{ name: string }>(
      `select 'the table ' || relname as name from pg_class
      where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
      union all select 'the schema audit' where to_regnamespace('audit') is not null limit 5`
    )
    return rows.map(({ name }) => name)
  })
  if (found.length > 0) {
    const detail = `expected an empty database, found ${found.join(", ")}; name one that was just created`
    throw new BackupFault({ reason: "not-empty", detail })
  }
  const pool = makePool(url, { max: 2, deadlineMs: 120_000 })
  try {
    const migrator = new Migrator({
      db: new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) }),
      provider: { getMigrations: async () => ({ ...migrations }) }
    })
    const { error } = await migrator.migrateTo(schema)
    if (error !== undefined) throw error
  } finally {
    await pool.end()
  }
}

const insert = (client: pg.Client, { table, columns }: TableHeading, lines: ReadonlyArray<string>) => {
  const names = columns.map(([name]) => id(name)).join(", ")
  const read = columns.map(([name, type]) => `${id(name)} ${type === "json" ? "text" : type}`).join(", ")
  const values = columns.map(([name, type]) => (type === "json" ? `${id(name)}::json` : id(name))).join(", ")
  return client.query(
    `insert into ${id(table)} (${names}) overriding system value select ${values} from json_to_recordset($1::json) as r (${read})`,
    [`[${lines.join(",")}]`]
  )
}

const id = (name: string): string => pg.escapeIdentifier(name)

const attempt = <A>(act: () => Promise<A>): Effect.Effect<A, BackupFault> =>
  Effect.tryPromise({
    try: act,
    catch: (cause) =>
      cause instanceof BackupFault
        ? cause
        : new BackupFault({ reason: "unavailable", detail: cause instanceof Error ? cause.message : String(cause) })
  })
