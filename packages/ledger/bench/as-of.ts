/**
 * `as-of [EVENTS]`: what was so at an earlier time, over a log of 5 million events unless given: 50,000 VIPs and 50,000
 * Services (fewer of fewer than 200,000 events), written by SQL, each stream changed at random over a year. Who held an address is asked of the history
 * of VIPs; the whole fleet is every stream's state, as a reader of the API at a time T gets it. Each has its baseline over the same log.
 */
import { sqlSession, startPostgres } from "@lowtide/testkit"
import { Context, Effect, Layer } from "effect"
import type { SqlClient } from "../src/client.ts"
import { Ledger, ledgerPostgres, migrate } from "../src/index.ts"

const eventsCount = Number(process.argv[2] ?? 5_000_000)
const vipsCount = Math.min(50_000, Math.floor(eventsCount / 4))
const streamsCount = 2 * vipsCount
const lookUps = Math.min(3_000, vipsCount)
const rounds = 5
const yearMs = 365 * 86_400_000
const startMs = Date.parse("2025-11-01T00:00:00.000Z")

/** How much of the log is before the moments asked about. */
const moments = [0.1, 0.5, 0.99] as const

/** Event `i` is of stream `i * 7919 % streams`: neighbours in time are strangers. Even streams are VIPs, odd ones Services. */
const events = `
insert into events (seq, epoch, commit_seq, event_id, stream, version, type, schema, recorded_at, network, address, pool,
  cluster, namespace, service, actor, actor_kind, command_id, correlation_id, reason_code, data, meta, leaf_hash)
select i, 1, i, gen_random_uuid(),
  case when s % 2 = 0 then 'vip:default/' || host(a) else 'service:east/shop/web-' || s end,
  (i - 1) / ${streamsCount} + 1, case when s % 2 = 0 then 'VipAssigned' else 'ServiceObserved' end, 1, t,
  'default', case when s % 2 = 0 then a end, case when s % 2 = 0 then 'public' end, 'east', 'shop', 'web-' || s,
  'agent:east', 'agent', id, id, 'pool-selected',
  ('{"before":null,"after":{"stream":' || s || ',"seq":' || i || ',"words":"' || repeat('x', 300) || '"}}')::json,
  '{"receivedAt":"2026-01-01T00:00:00.000Z"}', sha256(int8send(i))
from generate_series(1, ${eventsCount}) i
cross join lateral (select ((i::bigint * 7919) % ${streamsCount})::int as s, gen_random_uuid() as id,
  date_trunc('milliseconds', timestamptz '2025-11-01 00:00:00+00' + i * (interval '365 days' / ${eventsCount})) as t) p
cross join lateral (select ('198.18.0.0'::inet + s / 2) as a) q`

const views = `
insert into stream_current (stream, kind, version, seq, recorded_at, state)
select stream, split_part(stream, ':', 1), version, seq, recorded_at, data -> 'after' from events
where seq > ${eventsCount} - ${streamsCount};
insert into vip_history (network, address, from_seq, to_seq, valid_from, valid_to, state, pool, holders, reason_code, actor)
select 'default', address, seq, lead(seq) over w, recorded_at, coalesce(lead(recorded_at) over w, 'infinity'), 'assigned',
  'public', '[{"cluster":"east","namespace":"shop","name":"web"}]', 'pool-selected', 'agent:east'
from events where address is not null window w as (partition by address order by seq);
update log_head set epoch = 1, seq = ${eventsCount}, commit_seq = ${eventsCount},
  recorded_at = (select recorded_at from events where seq = ${eventsCount})`

/** The indexes that are of no key are made after the rows: a tenth of the time. */
const fill = async (client: SqlClient) => {
  await client.query("set synchronous_commit = off")
  await client.query("set maintenance_work_mem = '512MB'")
  await client.query(`select ledger_ensure_partitions(1), ledger_ensure_partitions(${eventsCount})`)
  const { rows } = await client.query<{ readonly name: string; readonly text: string }>(`
    select c.relname as name, replace(pg_get_indexdef(c.oid), ' ON ONLY ', ' ON ') as text
    from pg_index i join pg_class c on c.oid = i.indexrelid
    where i.indrelid = 'events'::regclass and not i.indisprimary`)
  for (const { name } of rows) await client.query(`drop index ${name}`)
  await client.query(events)
  for (const { text } of rows) await client.query(text)
  for (const text of views.split(";\n")) await client.query(text)
  for (const table of ["events", "vip_history", "stream_current"]) await client.query(`vacuum analyze ${table}`)
}

const median = (values: ReadonlyArray<number>) => values.toSorted((a, b) => a - b)[values.length >> 1]!
const quantile = (values: ReadonlyArray<number>, share: number) =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length * share)]!
const round3 = (value: number) => Number(value.toPrecision(4))

const print = (figure: string, value: number, baseline: number, baselineName: string) => {
  const line = { bench: "as-of", figure, value: round3(value), unit: "ms", baseline: round3(baseline), baselineName }
  process.stdout.write(`${JSON.stringify({ ...line, ratio: round3(value / baseline) })}\n`)
}

const timed = async (run: () => Promise<unknown>) => {
  const startedMs = performance.now()
  await run()
  return performance.now() - startedMs
}

const pick = (index: number) => ({
  network: "default",
  address: addressOf((index * 104_729) % vipsCount),
  at: new Date(startMs + ((index * 15_485_863) % 1_000_003) * (yearMs / 1_000_003)).toISOString()
})

const addressOf = (vip: number) => `198.${18 + (vip >> 16)}.${(vip >> 8) & 255}.${vip & 255}`

/** The newest event of the address up to T, by the address' own index: what a log without a history would be asked. */
const fromTheLog = `select seq, data from events where address = $1 and recorded_at <= $2 order by seq desc limit 1`

/** The same questions twice, of which the first time warms both sides up. */
const measureWho = async (ledger: Ledger["Service"], client: SqlClient) => {
  const own: Array<number> = []
  const base: Array<number> = []
  for (let index = 0; index < 2 * lookUps; index += 1) {
    const query = pick(index % lookUps)
    const ownMs = await timed(() => Effect.runPromise(ledger.holderAt(query)))
    const values = [query.address, query.at]
    const baseMs = await timed(() => client.query({ name: "who", text: fromTheLog, values }))
    if (index < lookUps) continue
    own.push(ownMs)
    base.push(baseMs)
  }
  for (const share of [0.5, 0.99]) {
    print(
      `who at T, ${eventsCount} events, p${share * 100}`,
      quantile(own, share),
      quantile(base, share),
      "newest event of the address in the log"
    )
  }
}

const measureFleet = async (ledger: Ledger["Service"], client: SqlClient) => {
  for (const moment of moments) {
    const seq = Math.floor(eventsCount * moment)
    const own: Array<number> = []
    const base: Array<number> = []
    for (let round = 0; round < rounds; round += 1) {
      own.push(await timed(() => Effect.runPromise(ledger.stateAt(seq))))
      if (round < 2) {
        const text = `select distinct on (stream) stream, version, seq, (data -> 'after')::text from events where seq <= $1 order by stream, version desc`
        base.push(await timed(() => client.query({ text, values: [seq], rowMode: "array" })))
      }
    }
    const figure = `whole fleet, ${streamsCount} streams, after ${moment * 100} % of ${eventsCount} events`
    print(figure, median(own), median(base), "distinct on (stream) over the log")
  }
  const holders: Array<number> = []
  const at = new Date(startMs + yearMs / 2).toISOString()
  for (let round = 0; round < rounds; round += 1) {
    const text = `select network, address, holders from vip_history where valid_from <= $1 and valid_to > $1`
    holders.push(await timed(() => client.query({ text, values: [at], rowMode: "array" })))
  }
  const current = await timed(() =>
    client.query({ text: "select stream, state from stream_current", rowMode: "array" })
  )
  print(
    `all ${vipsCount} holders at T, ${eventsCount} events`,
    median(holders),
    current,
    "every stream's current state"
  )
}

const main = Effect.gen(function* () {
  const server = yield* startPostgres()
  yield* migrate(server.url)
  const ledger = Context.get(yield* Layer.build(ledgerPostgres(server.socketUrl)), Ledger)
  const client = yield* sqlSession(server.socketUrl)
  yield* Effect.promise(async () => {
    const filled = await timed(() => fill(client))
    process.stderr.write(`${eventsCount} events written in ${(filled / 1000).toFixed(0)} s\n`)
    await measureWho(ledger, client)
    await measureFleet(ledger, client)
  })
}).pipe(Effect.scoped)

await Effect.runPromise(main)
