import { Effect } from "effect"
import type pg from "pg"
import { ask } from "./database.ts"
import type { Unavailable } from "./errors.ts"
import { type ComparedRows, compareHeads, compareIntents } from "./replay-messages.ts"
import { readableJson, stateAfter } from "./unreadable-json.ts"

/** A table that is written with the log and follows from it. */
export type Projection = "stream_current" | "vip_history"

/**
 * What is walked through: the current state of each stream, each stretch of a VIP's history, and each event, of which both
 * have to know; then each signed message and each cluster's head, which are signed once and stored. Together they find a
 * row that differs, one too many and one too few.
 */
export const replayWalks = ["streams", "history", "events", "intents", "heads"] as const
export type ReplayWalk = (typeof replayWalks)[number]

/** Where a table says something else than the log. */
export interface ReplayDifference {
  readonly projection: Projection | "events" | "intent" | "intent_head"
  /** The stream, the VIP and the seq that its stretch begins with, the cluster, or the events. */
  readonly key: string
  readonly what: string
}

/** A difference that the last comparison found. */
export interface ReplayFinding extends ReplayDifference {
  readonly foundAt: string
}

/** One step of a walk. */
export interface ReplayPage {
  readonly compared: number
  /** Where the next page begins; null at the end. */
  readonly next: string | null
  readonly differences: ReadonlyArray<ReplayDifference>
}

/** What is known of the last comparison that got to its end. */
export interface ReplayCheck {
  readonly checkedBy: string
  /** The log's head when it began. */
  readonly position: number
  readonly compared: number
  readonly startedAt: string
  readonly finishedAt: string
}

export interface ReplayStanding {
  /** Null before the first one has ended. */
  readonly last: ReplayCheck | null
  /** Since `last` ended, by the database's clock; null before the first. */
  readonly ageMs: number | null
  readonly findings: ReadonlyArray<ReplayFinding>
}

/** Differences that are kept; more of them help nobody. */
const findingsMax = 1_000

/**
 * The state of a stream is that of its newest event, byte for byte. Each statement sees one snapshot, so that a batch is in
 * both or in neither. A row from before the first event that is kept has nothing to be compared with.
 */
const comparedStreams = (page: string) => `
with page as materialized (${page}), first as (select coalesce(min(seq), 1) as seq from events)
select (select count(*) from page)::int as compared, (select max(stream) from page) as last, coalesce((
  select json_agg(json_build_object('projection', 'stream_current', 'key', p.stream, 'what', 'expected '
    || coalesce('version ' || e.version || ' by event ' || e.seq, 'no state, since no event says so') || ', found version '
    || p.version || ' by event ' || p.seq || case
      when e.version = p.version and e.seq = p.seq and p.kind = split_part(p.stream, ':', 1)
        and e.recorded_at = p.recorded_at then ' with another state'
      when e.version = p.version and e.seq = p.seq then ' of another kind or time' else '' end))
  from page p
  left join lateral (
    select version, seq, schema, recorded_at, ${stateAfter("data")}::text as after from events
    where stream = p.stream order by version desc limit 1
  ) e on true
  where case when e.seq is null then p.seq >= (select seq from first)
    else (e.version, e.seq, e.recorded_at, split_part(p.stream, ':', 1)) <> (p.version, p.seq, p.recorded_at, p.kind)
      or e.after is distinct from coalesce(p.state::text, 'null') or (p.state is not null and e.schema <> p.schema) end
), '[]')::text as differences`

const streamsStatement = comparedStreams("select * from stream_current where stream > $1 order by stream limit $2")
const theseStreamsStatement = comparedStreams("select * from stream_current where stream = any ($1::text[])")

/**
 * A stretch begins with an event of the VIP and lasts until the next one. By `offset 0` the state is taken out of the event's
 * text once, and not again for each of its fields.
 */
const historyStatement = `
with page as materialized (
  select * from vip_history
  where (network, address, from_seq) > (($1::json ->> 0), ($1::json ->> 1)::inet, ($1::json ->> 2)::bigint)
  order by network, address, from_seq limit $2
), first as (select coalesce(min(seq), 1) as seq from events)
select (select count(*) from page)::int as compared, (
  select json_build_array(network, address, from_seq)::text from page
  order by network desc, address desc, from_seq desc limit 1
) as last, coalesce((
  select json_agg(json_build_object('projection', 'vip_history',
    'key', 'vip:' || p.network || '/' || host(p.address) || ' from event ' || p.from_seq,
    'what', case when e.seq is null then 'expected an event of this VIP, found none'
      when to_seq is distinct from n.seq then 'expected its end ' || coalesce('at event ' || n.seq, 'open')
        || ', found it ' || coalesce('at event ' || to_seq, 'open')
      else 'expected what event ' || e.seq || ' says, found something else' end))
  from page p
  left join lateral (
    select seq, stream, version, recorded_at, reason_code, actor, ${readableJson("data")} -> 'after' as after from events
    where seq = p.from_seq and network = p.network and address = p.address and stream like 'vip:%'
    offset 0
  ) e on true
  left join lateral (
    select seq, recorded_at from events where stream = e.stream and version = e.version + 1 limit 1
  ) n on true
  where p.from_seq >= (select seq from first) and (
    e.seq is null or to_seq is distinct from n.seq or p.valid_from <> e.recorded_at
    or p.valid_to <> coalesce(n.recorded_at, 'infinity')
    or (p.state, p.pool, p.reason_code, p.actor) is distinct from (e.after ->> 'phase', e.after ->> 'pool', e.reason_code, e.actor)
    or p.member <> case when e.after ->> 'member' = 'true' then e.after ->> 'cluster' else '' end
    or ${readableJson("p.holders")}::jsonb is distinct from (
      select coalesce(jsonb_agg(jsonb_build_object('cluster', e.after -> 'cluster', 'namespace', h -> 'namespace',
        'name', h -> 'name', 'uid', h -> 'uid') order by place), '[]')
      from json_array_elements(e.after -> 'holders') with ordinality as holders (h, place)))
), '[]')::text as differences`

/**
 * Every event is in the state of its stream, or something newer is; every event of a VIP begins a stretch. None is missing
 * between two that are there; before the first, those alone that the log says to be archived.
 */
const eventsStatement = `
with page as materialized (
  select seq, stream, version, network, address, data from events where seq > $1::bigint order by seq limit $2
), begun as (
  select coalesce((
    select (s.state ->> 'toSeq')::bigint from stream_current s, (select min(seq) as seq from events) first
    where s.kind = 'segment' and (s.state ->> 'toSeq')::bigint = first.seq - 1 and first.seq = (select min(seq) from page)
  ), $1::bigint) as seq
), places as (
  select seq, lag(seq, 1, (select seq from begun)) over (order by seq) as before from page
)
select (select count(*) from page)::int as compared, (select max(seq) from page)::text as last, coalesce((
  select json_agg(d) from (
    select 'stream_current' as projection, p.stream as key, 'expected version ' || max(p.version) || ' by event '
      || max(p.seq) || ' or newer, found ' || coalesce('version ' || max(c.version), 'no state') as what
    from page p left join stream_current c on c.stream = p.stream
    group by p.stream having max(c.version) is null or max(c.version) < max(p.version)
    union all
    select 'events', 'events ' || before + 1 || ' to ' || seq - 1, 'expected them, since the log does not say that they '
      || 'are archived, found none' from places where seq > before + 1
    union all
    select 'vip_history', p.stream || ' from event ' || p.seq, 'expected a stretch of this VIP, found none'
    from page p
    where p.stream like 'vip:%' and json_typeof(${readableJson("p.data")} -> 'after') = 'object' and not exists (
      select 1 from vip_history v where v.network = p.network and v.address = p.address and v.from_seq = p.seq)
  ) d
), '[]')::text as differences`

interface Walk {
  readonly begin: string
  /** Rows that one statement compares at most, where a row is much work. */
  readonly atOnce?: number
  readonly page: (pool: pg.Pool, after: string, limit: number) => Promise<ComparedRows>
}

/** A page that the database itself compares. */
const byStatement =
  (name: string, text: string): Walk["page"] =>
  async (pool, after, limit) => {
    const { rows } = await pool.query<PageRow>({ name: `replay-${name}`, text, values: [after, limit] })
    const [row] = rows
    return { compared: row?.compared ?? 0, last: row?.last ?? null, differences: differencesIn(row) }
  }

const walks: { readonly [Name in ReplayWalk]: Walk } = {
  streams: { begin: "", page: byStatement("streams", streamsStatement) },
  history: { begin: '["","0.0.0.0",0]', page: byStatement("history", historyStatement) },
  events: { begin: "0", page: byStatement("events", eventsStatement) },
  intents: { begin: '["",""]', page: compareIntents },
  // Of a cluster with all of its messages.
  heads: { begin: "", atOnce: 4, page: compareHeads }
}

const saveStatement = `
insert into replay_finding (projection, key, what, found_at, seen_at)
select d.projection, d.key, d.what, clock_timestamp(), clock_timestamp()
from json_to_recordset($1::json) as d (projection text, key text, what text)
where (select count(*) from replay_finding) < ${findingsMax}
on conflict (projection, key) do update set what = excluded.what, seen_at = excluded.seen_at`

const endStatement = `
with gone as (delete from replay_finding where seen_at < $4::timestamptz)
insert into replay_check (checked_by, position, compared, started_at, finished_at)
values ($1, $2, $3, $4::timestamptz, clock_timestamp())
on conflict (one) do update set checked_by = excluded.checked_by, position = excluded.position,
  compared = excluded.compared, started_at = excluded.started_at, finished_at = excluded.finished_at`

const standingStatement = `
select (select json_build_object('checkedBy', checked_by, 'position', position, 'compared', compared,
    'startedAt', to_char(started_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    'finishedAt', to_char(finished_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) from replay_check)::text as last,
  (select extract(epoch from clock_timestamp() - finished_at) * 1000 from replay_check)::float8 as "ageMs",
  coalesce((select json_agg(json_build_object('projection', projection, 'key', key, 'what', what,
    'foundAt', to_char(found_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) order by projection, key)
    from replay_finding), '[]')::text as findings`

interface PageRow {
  readonly compared: number
  readonly last: string | null
  readonly differences: string
}

const differencesIn = (row: PageRow | undefined) =>
  JSON.parse(row?.differences ?? "[]") as ReadonlyArray<ReplayDifference>

/** The port's comparison of what is written with the log against the log itself: law L5 on a running database. */
export const makeReplay = (pool: pg.Pool) => ({
  replayPage: Effect.fn("Ledger.replayPage")(
    (walk: ReplayWalk, after: string | null, limit: number): Effect.Effect<ReplayPage, Unavailable> =>
      Effect.suspend(() => {
        const { begin, page, atOnce = limit } = walks[walk]
        const rows = Math.min(limit, atOnce)
        return ask("replayPage", () => page(pool, after ?? begin, rows)).pipe(
          Effect.map(({ compared, last, differences }) => ({
            compared,
            next: compared === rows ? last : null,
            differences
          }))
        )
      })
  ),
  replayStreams: Effect.fn("Ledger.replayStreams")((streams: ReadonlyArray<string>) =>
    ask("replayStreams", () => pool.query<PageRow>(theseStreamsStatement, [streams])).pipe(
      Effect.map(({ rows: [row] }) => differencesIn(row))
    )
  ),
  saveReplayFindings: Effect.fn("Ledger.saveReplayFindings")((differences: ReadonlyArray<ReplayDifference>) =>
    differences.length === 0
      ? Effect.void
      : Effect.asVoid(ask("saveReplayFindings", () => pool.query(saveStatement, [JSON.stringify(differences)])))
  ),
  endReplay: Effect.fn("Ledger.endReplay")(
    ({ checkedBy, position, compared, startedAt }: Omit<ReplayCheck, "finishedAt">) =>
      Effect.asVoid(ask("endReplay", () => pool.query(endStatement, [checkedBy, position, compared, startedAt])))
  ),
  replayStanding: ask("replayStanding", () =>
    pool.query<{ last: string | null; ageMs: number | null; findings: string }>(standingStatement)
  ).pipe(
    Effect.map(
      ({ rows: [row] }): ReplayStanding => ({
        last: typeof row?.last === "string" ? (JSON.parse(row.last) as ReplayCheck) : null,
        ageMs: row?.ageMs ?? null,
        findings: JSON.parse(row?.findings ?? "[]") as ReadonlyArray<ReplayFinding>
      })
    )
  )
})

/** Rows that are compared by one statement. */
const pageRows = 1_000

/** Goes through everything once; `between` is run after each page. Answers how many rows were compared. */
export const walkReplay = <E, R>(
  ledger: Pick<ReplayPort, "replayPage">,
  between: (page: ReplayPage) => Effect.Effect<void, E, R>
): Effect.Effect<number, Unavailable | E, R> =>
  Effect.gen(function* () {
    let compared = 0
    for (const walk of replayWalks) {
      let place: string | null = null
      do {
        const page: ReplayPage = yield* ledger.replayPage(walk, place, pageRows)
        compared += page.compared
        place = page.next
        yield* between(page)
      } while (place !== null)
    }
    return compared
  })

type ReplayPort = ReturnType<typeof makeReplay>
