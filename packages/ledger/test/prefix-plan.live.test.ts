import { assert, it } from "@effect/vitest"
import { execute } from "@lowtide/testkit"
import { Effect } from "effect"
import { openDatabase } from "../src/database.ts"
import { selectEvents } from "../src/reads.ts"
import { selectWire } from "../src/wire-journal.ts"
import { liveDatabases } from "./live-database.ts"

const databases = liveDatabases()

/** Events and rows about 50,000 addresses, the same number of each. */
const fill = `
  insert into events (seq, epoch, commit_seq, event_id, stream, version, type, schema, recorded_at, network, address, actor,
    actor_kind, command_id, correlation_id, reason_code, data, meta, leaf_hash)
  select n, 1, n, gen_random_uuid(), 'vip:default/' || n, 1, 'VipAssigned', 1, now(), 'default',
    case n % 2 when 0 then '198.18.0.0'::inet + n else '2001:db8::'::inet + n end, 'agent:east', 'agent',
    gen_random_uuid(), gen_random_uuid(), 'pool-selected', '{}', '{}', '\\x00'
  from generate_series(1, 50000) as n;
  insert into wire_journal (recorded_at, cluster, network, address, kind, detail)
  select now(), 'east', 'default', '198.18.0.0'::inet + n, 'applied', '{}' from generate_series(1, 50000) as n;
  analyze`

it.live("the history of a prefix is read by the index of addresses, of both IP versions and of the wire journal", () =>
  Effect.gen(function* () {
    const url = yield* databases.fresh()
    yield* Effect.promise(() => execute(url, fill))
    const { kysely: db, readers } = yield* openDatabase(url)
    // Partitions that are made ahead are empty, and cost nothing to look through.
    const [row] = yield* Effect.promise(() =>
      execute(url, "select distinct tableoid::regclass::text as name from events")
    )
    const filled = String(row?.name)
    const page = { limit: 101, order: "desc" } as const
    const queries = [
      selectEvents(db, { ...page, prefix: "198.18.1.0/28" }),
      selectEvents(db, { ...page, prefix: "2001:db8::/120", untilSeq: 40_000 }),
      selectWire(db, { ...page, network: "default", prefix: "198.18.1.0/28" })
    ]
    const byFunction = "explain (format json) select seq from audit.prefix_history('198.18.1.0/28')"
    const answers: ReadonlyArray<ReadonlyArray<object>> = [
      ...(yield* Effect.forEach(queries, (query) => Effect.promise(() => query.explain("json")))),
      yield* Effect.promise(async () => (await readers.query<object>(byFunction)).rows)
    ]
    for (const rows of answers) {
      const [explained] = rows.flatMap((row) => Object.values(row))
      const plan = JSON.stringify(JSON.parse(explained))
      assert.match(plan, /"Index Name":"[^"]*(address|vip)/)
      assert.notMatch(plan, new RegExp(`"Node Type":"Seq Scan"[^{}]*"Relation Name":"(${filled}|wire_journal)"`))
      assert.match(plan, /"Index Cond":"[^"]*address >= /)
    }
  }).pipe(Effect.scoped)
)
