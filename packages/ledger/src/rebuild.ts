import { Data, Effect } from "effect"
import pg from "pg"
import { withClient } from "./client.ts"
import type { Projection } from "./replay.ts"
import { asStored, readableJson, stateAfter } from "./unreadable-json.ts"

/** Why a table could not be made anew; the one in use is as it was. */
export class RebuildFault extends Data.TaggedError("RebuildFault")<{ readonly detail: string }> {
  override get message() {
    return this.detail
  }
}

/** What a rebuild led to. */
export interface Rebuilt {
  readonly projection: Projection
  /** Head of the log when the tables were swapped. */
  readonly position: number
  readonly rows: number
  /** Rows that stand on archived events, taken over as they were. */
  readonly takenOver: number
  /** Rows that were not what the log says, and the first of them by name. */
  readonly differing: number
  readonly examples: ReadonlyArray<string>
  /** The table that was in use before, kept until somebody drops it. */
  readonly kept: string
}

/** Events that are folded in one transaction. */
const pageEventsUsual = 20_000

/** How long the swap waits for a batch in flight, and whoever reads: every other batch waits behind it meanwhile. */
const lockTimeout = "200ms"

/** How often it tries, and how long it lets the others go on between. */
const swapAttemptsMax = 60
const swapAgainMs = 300

interface Recipe {
  /** Takes rows over that stand on events from before `$1`. */
  readonly takeOver: string
  /** Folds events after `$1` up to `$2`. */
  readonly fold: string
  /** A row as text, and what names it. */
  readonly row: string
  readonly key: string
  readonly join: string
  /** What an event touches the rows of. */
  readonly of: string
  /** Which events add a row. */
  readonly added: string
}

const anew = (projection: Projection): string => `${projection}_anew`

const recipes: { readonly [Name in Projection]: Recipe } = {
  stream_current: {
    takeOver: "insert into stream_current_anew select * from stream_current where seq < $1",
    fold: `
      insert into stream_current_anew (stream, kind, version, seq, recorded_at, state, schema)
      select distinct on (stream) stream, split_part(stream, ':', 1), version, seq, recorded_at,
        case when json_typeof(${readableJson("data")} -> 'after') = 'null' then null else ${stateAfter("data")} end,
        case when json_typeof(${readableJson("data")} -> 'after') = 'null' then 1 else schema end
      from events where seq > $1 and seq <= $2 order by stream, version desc
      on conflict (stream) do update set kind = excluded.kind, version = excluded.version, seq = excluded.seq,
        recorded_at = excluded.recorded_at, state = excluded.state, schema = excluded.schema`,
    row: "(t.kind, t.version, t.seq, t.recorded_at, t.state::text, case when t.state is null then null else t.schema end)",
    key: "t.stream",
    join: "a.stream = b.stream",
    of: "stream",
    added: "version = 1"
  },
  vip_history: {
    takeOver: `
      insert into vip_history_anew
      select network, address, from_seq, case when to_seq < $1 then to_seq end, valid_from,
        case when to_seq < $1 then valid_to else 'infinity' end, state, pool, holders, reason_code, actor, member
      from vip_history where from_seq < $1`,
    fold: `
      with page as materialized (
        select parts.*, lead(seq) over of_vip as next_seq, lead(recorded_at) over of_vip as next_at
        from (
          select seq, network, address, recorded_at, reason_code, actor, after,
            case when after ->> 'member' = 'true' then after ->> 'cluster' else '' end as member
          from (
            select *, ${readableJson("data")} -> 'after' as after
            from events where seq > $1 and seq <= $2 and stream like 'vip:%' offset 0
          ) vips
          where json_typeof(after) = 'object'
        ) parts
        window of_vip as (partition by network, address, member order by seq)
      ), closed as (
        update vip_history_anew v set to_seq = f.seq, valid_to = f.recorded_at
        from (select distinct on (network, address, member) * from page order by network, address, member, seq) f
        where v.network = f.network and v.address = f.address and v.member = f.member and v.to_seq is null
        returning 1
      )
      insert into vip_history_anew (network, address, from_seq, to_seq, valid_from, valid_to, state, pool, holders,
        reason_code, actor, member)
      select network, address, seq, next_seq, recorded_at, coalesce(next_at, 'infinity'), after ->> 'phase',
        after ->> 'pool', ${asStored(`('[' || coalesce((
          select string_agg('{"cluster":' || (after -> 'cluster')::text || ',"namespace":' || (h -> 'namespace')::text
            || ',"name":' || (h -> 'name')::text || ',"uid":' || (h -> 'uid')::text || '}', ',' order by place)
          from json_array_elements(after -> 'holders') with ordinality as holders (h, place)), '') || ']')`)}::json,
        reason_code, actor, member
      from page where (select count(*) from closed) >= 0`,
    row: "(t.to_seq, t.valid_from, t.valid_to, t.state, t.pool, t.holders::text, t.reason_code, t.actor, t.member)",
    key: "'vip:' || t.network || '/' || host(t.address) || ' from event ' || t.from_seq",
    join: "a.network = b.network and a.address = b.address and a.from_seq = b.from_seq",
    of: "network, address",
    added: `stream like 'vip:%' and json_typeof(${readableJson("data")} -> 'after') = 'object'`
  }
}

/**
 * Makes a table that follows from the log anew, beside the one in use, page by page while writers go on, and compares the two
 * as of one moment; then catches up, compares what was written since and swaps the two in one transaction that no batch can
 * come into. Broken off, it goes on where it was. Where what
 * is decided on was different, whoever leads is fenced: its memory came from the old table. By the role that owns the tables.
 */
export const rebuildProjection = (
  url: string,
  projection: Projection,
  options: { readonly pageEvents?: number; readonly onPage?: (position: number, head: number) => void } = {}
): Effect.Effect<Rebuilt, RebuildFault> =>
  alone(url, async (client) => {
    const { pageEvents = pageEventsUsual, onPage } = options
    const takenOver = await begin(client, projection)
    const catchUp = async () => {
      for (;;) {
        const position = await positionOf(client, projection)
        const head = await headOf(client)
        onPage?.(position, head)
        if (head - position <= pageEvents) break
        await inTransaction(client, () => foldPage(client, projection, position, position + pageEvents))
      }
    }
    await catchUp()
    const compared = await inTransaction(
      client,
      () => compareAll(client, projection),
      "isolation level repeatable read"
    )
    for (let attempt = 1; ; attempt++) {
      await catchUp()
      try {
        return await inTransaction(client, () => swap(client, projection, takenOver, compared))
      } catch (cause) {
        if (!(cause instanceof pg.DatabaseError && cause.code === lockNotAvailable)) throw cause
        if (attempt === swapAttemptsMax) {
          throw new Error(
            `expected ${projection} at a moment when nobody reads it for long, found none within ${attempt} tries: end what does, and run it again; it goes on where it was`
          )
        }
      }
      await new Promise((resolve) => setTimeout(resolve, swapAgainMs))
    }
  })

const lockNotAvailable = "55P03"

/** Drops what rebuilds left: tables that were in use before, and one that was begun and not ended. Answers their names. */
export const dropRebuildLeftovers = (url: string): Effect.Effect<ReadonlyArray<string>, RebuildFault> =>
  alone(url, async (client) => {
    const { rows } = await client.query<{ name: string }>(
      `select relname::text as name from pg_class
       where relnamespace = 'public'::regnamespace and relkind = 'r' and relname ~ $1 order by 1`,
      [rebuildLeftovers]
    )
    await inTransaction(client, async () => {
      for (const { name } of rows) await client.query(`drop table ${pg.escapeIdentifier(name)}`)
      await client.query("delete from projection_checkpoint where name like 'rebuild:%'")
    })
    return rows.map(({ name }) => name)
  })

/** Names of tables that a rebuild works on or leaves, as a regular expression of PostgreSQL. */
export const rebuildLeftovers = "^(stream_current|vip_history)_(anew|before_[0-9]+)$"

const checkpointName = (projection: Projection): string => `rebuild:${projection}`

/** Makes the empty table, unless one that was begun can be gone on with; answers how many rows stand on archived events. */
const begin = async (client: pg.Client, projection: Projection): Promise<number> => {
  const table = anew(projection)
  const [found] = (
    await client.query<{ resumable: boolean }>(
      `select exists (
        select from projection_checkpoint
        where name = $2 and position + 1 >= (select coalesce(min(seq), 1) from events)
      ) and (
        select array_agg(attname || ' ' || atttypid order by attnum) from pg_attribute
        where attrelid = to_regclass($1) and attnum > 0 and not attisdropped
      ) is not distinct from (
        select array_agg(attname || ' ' || atttypid order by attnum) from pg_attribute
        where attrelid = to_regclass($3) and attnum > 0 and not attisdropped
      ) as resumable`,
      [table, checkpointName(projection), projection]
    )
  ).rows
  const first = await firstOf(client)
  if (found?.resumable !== true) {
    await inTransaction(client, async () => {
      await client.query(`drop table if exists ${table}`)
      await client.query(`create table ${table} (like ${projection} including all)`)
      const [{ options } = { options: null }] = (
        await client.query<{ options: string | null }>(
          "select array_to_string(reloptions, ', ') as options from pg_class where oid = to_regclass($1)",
          [projection]
        )
      ).rows
      if (options !== null) await client.query(`alter table ${table} set (${options})`)
      await client.query(recipes[projection].takeOver, [first])
      await client.query(
        `insert into projection_checkpoint (name, version, position) values ($1, 1, $2)
         on conflict (name, version) do update set position = excluded.position`,
        [checkpointName(projection), first - 1]
      )
    })
  }
  const column = projection === "stream_current" ? "seq" : "from_seq"
  const [{ count } = { count: 0 }] = (
    await client.query<{ count: number }>(`select count(*)::int as count from ${table} where ${column} < $1`, [first])
  ).rows
  return count
}

/** In a transaction, in which no partition can leave once its events were asked for. */
const foldPage = async (client: pg.Client, projection: Projection, from: number, to: number): Promise<void> => {
  const first = await firstOf(client)
  if (first > from + 1) {
    throw new Error(
      `expected the events after event ${from}, found them archived meanwhile: run it again, it begins anew`
    )
  }
  await client.query(recipes[projection].fold, [from, to])
  await client.query("update projection_checkpoint set position = $2 where name = $1", [checkpointName(projection), to])
}

/** What the comparison of two whole tables came to; the names of rows that differ are in a table of this connection. */
interface Compared {
  readonly position: number
  readonly rows: number
}

/** Of one snapshot, so that the table in use is exactly what had been written at the position; writers go on. */
const compareAll = async (client: pg.Client, projection: Projection): Promise<Compared> => {
  const table = anew(projection)
  const position = await headOf(client)
  await foldPage(client, projection, await positionOf(client, projection), position)
  // Nothing knows the new table yet, and it is used the moment that it is swapped in.
  await client.query(`analyze ${table}`)
  await client.query("create temporary table rebuild_differing (name text primary key)")
  await noteDifferences(client, projection, projection, table)
  return { position, rows: await one(client, `select count(*)::float8 as value from ${table}`) }
}

const noteDifferences = async (client: pg.Client, projection: Projection, used: string, made: string) => {
  const { row, key, join } = recipes[projection]
  const of = (alias: string, text: string) => text.replaceAll("t.", `${alias}.`)
  await client.query(
    `insert into rebuild_differing
     select case when b.${firstColumn[projection]} is null then ${of("a", key)} else ${of("b", key)} end
     from ${used} a full join ${made} b on ${join}
     where a.${firstColumn[projection]} is null or b.${firstColumn[projection]} is null
       or ${of("a", row)} is distinct from ${of("b", row)}
     on conflict do nothing`
  )
}

/** A column that is null only where there is no row. */
const firstColumn: { readonly [Name in Projection]: string } = { stream_current: "stream", vip_history: "network" }

/**
 * No batch is under way while the lock on the table is held: each writes both tables, by its statement if not by its rows.
 * So it does no more than what events since the comparison have touched.
 */
const swap = async (
  client: pg.Client,
  projection: Projection,
  takenOver: number,
  compared: Compared
): Promise<Rebuilt> => {
  const table = anew(projection)
  await client.query(`set local lock_timeout to '${lockTimeout}'`)
  await client.query(`lock table ${projection} in access exclusive mode`)
  const position = await headOf(client)
  const { of, added } = recipes[projection]
  const since = `events where seq > ${compared.position} and seq <= ${position}`
  await client.query(`create temporary table rebuild_touched on commit drop as select distinct ${of} from ${since}`)
  const touched = (name: string) => `(select * from ${name} where (${of}) in (select ${of} from rebuild_touched))`
  await foldPage(client, projection, await positionOf(client, projection), position)
  await noteDifferences(client, projection, touched(projection), touched(table))
  const rows = compared.rows + (await one(client, `select count(*)::float8 as value from ${since} and ${added}`))
  const [{ differing, examples } = { differing: 0, examples: [] }] = (
    await client.query<{ differing: number; examples: ReadonlyArray<string> }>(
      `select (select count(*)::int from rebuild_differing) as differing, array(
        select name from rebuild_differing order by name limit 20) as examples`
    )
  ).rows
  const kept = `${projection}_before_${position}`
  const views = (
    await client.query<{ name: string; definition: string }>(
      `select distinct v.oid::regclass::text as name, pg_get_viewdef(v.oid) as definition
       from pg_depend d join pg_rewrite r on r.oid = d.objid join pg_class v on v.oid = r.ev_class
       where d.refobjid = to_regclass($1) and v.relkind = 'v'`,
      [projection]
    )
  ).rows
  const indexes = async (name: string) =>
    (
      await client.query<{ name: string; definition: string }>(
        `select c.relname::text as name, regexp_replace(pg_get_indexdef(c.oid), '^.* USING ', '') as definition
         from pg_index i join pg_class c on c.oid = i.indexrelid where i.indrelid = to_regclass($1)`,
        [name]
      )
    ).rows
  const [oldIndexes, newIndexes] = [await indexes(projection), await indexes(table)]
  const grants = (
    await client.query<{ statement: string }>(
      `select format('grant %s on %s to %s', privilege_type, $2::text,
         case when grantee = 0 then 'public' else quote_ident(grantee::regrole::text) end) as statement
       from pg_class c, aclexplode(c.relacl) where c.oid = to_regclass($1) and grantee <> c.relowner`,
      [projection, projection]
    )
  ).rows
  await client.query(`alter table ${projection} rename to ${kept}`)
  for (const { name } of oldIndexes) {
    await client.query(
      `alter index ${pg.escapeIdentifier(name)} rename to ${pg.escapeIdentifier(`${name}_${position}`)}`
    )
  }
  await client.query(`alter table ${table} rename to ${projection}`)
  for (const { name, definition } of newIndexes) {
    const former = oldIndexes.find((index) => index.definition === definition)?.name
    if (former !== undefined) {
      await client.query(`alter index ${pg.escapeIdentifier(name)} rename to ${pg.escapeIdentifier(former)}`)
    }
  }
  for (const { statement } of grants) await client.query(statement)
  // A view goes with its table's identity: it is to read the table of this name.
  for (const { name, definition } of views) await client.query(`create or replace view ${name} as ${definition}`)
  await client.query("delete from projection_checkpoint where name = $1", [checkpointName(projection)])
  await client.query("delete from replay_finding where projection = $1", [projection])
  if (differing > 0 && projection === "stream_current") {
    await client.query("update log_head set epoch = epoch + 1")
    await client.query("update lease set expires_at = clock_timestamp()")
  }
  return { projection, position, rows, takenOver, differing, examples, kept }
}

const one = async (client: pg.Client, query: string, values: ReadonlyArray<unknown> = []): Promise<number> =>
  (await client.query<{ value: number }>(query, [...values])).rows[0]?.value ?? 0

const headOf = (client: pg.Client) => one(client, "select seq::float8 as value from log_head")

const firstOf = (client: pg.Client) => one(client, "select coalesce(min(seq), 1)::float8 as value from events")

const positionOf = (client: pg.Client, projection: Projection) =>
  one(client, "select position::float8 as value from projection_checkpoint where name = $1", [
    checkpointName(projection)
  ])

const inTransaction = async <A>(client: pg.Client, act: () => Promise<A>, mode = ""): Promise<A> => {
  await client.query(`begin ${mode}`)
  try {
    const answer = await act()
    await client.query("commit")
    return answer
  } catch (cause) {
    await client.query("rollback").catch(() => undefined)
    throw cause
  }
}

/** Two at once would fold the same events twice. */
const alone = <A>(url: string, use: (client: pg.Client) => Promise<A>): Effect.Effect<A, RebuildFault> =>
  Effect.tryPromise({
    try: () =>
      withClient(url, async (client) => {
        const [lock] = (await client.query("select pg_try_advisory_lock(hashtext('ledger_rebuild')) as held")).rows
        if (lock?.held !== true) throw new Error("another rebuild is under way")
        return await use(client)
      }),
    catch: (cause) => new RebuildFault({ detail: cause instanceof Error ? cause.message : String(cause) })
  })
