import { Effect } from "effect"
import type pg from "pg"
import type { StoredCurrent } from "./batch.ts"
import { ask } from "./database.ts"
import { Unavailable } from "./errors.ts"
import { stateAfter } from "./unreadable-json.ts"
import type { StoredWire, WireAt } from "./wire.ts"
import { toWire, type WireJournalRow } from "./wire-journal.ts"

/**
 * A stream that has not changed since is read from the table of current states. Of another one, the newest event up to
 * `$1` is found in the index of streams and versions alone, from the newest version down; then the events are read in the
 * order in which they lie in the log. Both in the order of what is read, so that neighbours share their pages; `offset 0` keeps
 * a planner, which cannot know how many streams have changed, from reading the whole log instead.
 */
const stateAtStatement = `
with place as materialized (
  select c.stream, c.kind, e.seq
  from (select stream, kind from stream_current where seq > $1::bigint and hashtext(stream) & 1 = $2 order by stream) c
  cross join lateral (
    select seq from events where stream = c.stream and seq <= $1::bigint order by version desc limit 1
  ) e
  order by e.seq
)
select stream, kind, version, seq, schema, state::text, recorded_at from stream_current
where seq <= $1::bigint and hashtext(stream) & 1 = $2
union all
select p.stream, p.kind, e.version, e.seq, e.schema, ${stateAfter("e.data")}::text, e.recorded_at
from place p
cross join lateral (select version, seq, schema, data, recorded_at from events where seq = p.seq offset 0) e`

/** Each VIP and each session is looked up by itself, so that what others did costs nothing. */
const wireAtStatement = `
select w.* from jsonb_to_recordset($1::jsonb) as v (network text, address inet)
cross join lateral (
  select * from wire_journal j
  where j.network = v.network and j.address = v.address and j.kind = 'applied' and j.recorded_at <= $3::timestamptz
  order by j.id desc limit $4::int
) w
union all
select w.* from jsonb_to_recordset($2::jsonb) as s (cluster text, node text, peer text)
cross join lateral (
  select * from wire_journal j
  where j.kind = 'session' and j.cluster = s.cluster and j.node = s.node and j.peer = s.peer
    and j.recorded_at <= $3::timestamptz
  order by j.id desc limit $4::int
) w`

/** A stream is in one of them, and what was so at a place never changes: two connections read one state in less time. */
const halves = [0, 1] as const

const halfAt = (pool: pg.Pool, seq: number, half: (typeof halves)[number]) =>
  ask("stateAt", () =>
    pool.query<Array<never>>({ text: stateAtStatement, values: [seq, half], rowMode: "array" })
  ).pipe(Effect.map(({ rows }) => rows.map(toState)))

/** Where the log begins in the database: each connection has a view of its own, and both are to be of one log. */
const beginningOf = (pool: pg.Pool) =>
  ask("stateAt", () => pool.query<{ seq: string }>("select seq from events order by seq limit 1")).pipe(
    Effect.map(({ rows: [first] }) => first?.seq)
  )

/** What was so at an earlier place of the log or of the wire journal. */
export const makeAsOf = (pool: pg.Pool) => ({
  stateAt: Effect.fn("Ledger.stateAt")(function* (seq: number) {
    const begins = yield* beginningOf(pool)
    const parts = yield* Effect.forEach(halves, (half) => halfAt(pool, seq, half), { concurrency: "unbounded" })
    if ((yield* beginningOf(pool)) !== begins) {
      const cause = new Error("a log of which a segment was dropped, or brought back, meanwhile: ask again")
      return yield* new Unavailable({ operation: "stateAt", cause })
    }
    // Sorted here: as a part of the statement it goes by way of a file once there are some ten thousand rows.
    const states: ReadonlyArray<StoredCurrent> = parts.flat().sort((a, b) => a.seq - b.seq)
    return states
  }),
  wireAt: Effect.fn("Ledger.wireAt")(({ vips, sessions, at, rowsEachMax }: WireAt) =>
    ask("wireAt", () =>
      pool.query<WireJournalRow>(wireAtStatement, [JSON.stringify(vips), JSON.stringify(sessions), at, rowsEachMax])
    ).pipe(Effect.map(({ rows }): ReadonlyArray<StoredWire> => rows.map(toWire)))
  )
})

/** An event that ends its stream has `null` for the state after it. */
const toState = ([stream, kind, version, seq, schema, state, recordedAt]: ReadonlyArray<never>): StoredCurrent =>
  ({
    stream,
    kind,
    version,
    seq,
    schema,
    state: state === "null" ? null : state,
    recordedAt
  }) as unknown as StoredCurrent
