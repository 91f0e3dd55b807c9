import { assert, it } from "@effect/vitest"
import { execute } from "@lowtide/testkit"
import { Effect } from "effect"
import { openDatabase } from "../src/database.ts"
import { selectAny } from "../src/reads.ts"
import { liveDatabases } from "./live-database.ts"

const databases = liveDatabases()

/** Events of 400 namespaces: more than PostgreSQL's statistics name. */
const fill = `
  insert into events (seq, epoch, commit_seq, event_id, stream, version, type, schema, recorded_at, cluster, namespace,
    service, actor, actor_kind, command_id, correlation_id, reason_code, data, meta, leaf_hash)
  select n, 1, n, gen_random_uuid(), 'service:east/' || n, 1, 'ServiceObserved', 1, now(), 'east', 'team-' || n % 400,
    'web', 'agent:east', 'agent', gen_random_uuid(), gen_random_uuid(), 'observed', '{}', '{}', '\\x00'
  from generate_series(1, 50000) as n;
  analyze`

it.live("whether a cluster ever had a namespace is told by the index of Services, not by reading the log", () =>
  Effect.gen(function* () {
    const url = yield* databases.fresh()
    yield* Effect.promise(() => execute(url, fill))
    const { kysely: db } = yield* openDatabase(url)
    const rows = yield* Effect.promise(() => selectAny(db, { cluster: "east", namespace: "taem-1" }).explain("json"))
    const [plan = ""] = rows.flatMap((row) => Object.values(row)).map((said) => JSON.stringify(JSON.parse(said)))
    assert.match(plan, /"Index Cond":"[^"]*namespace/)
    // Partitions that are made ahead are empty, and cost nothing to look through.
    assert.notMatch(plan, /"Node Type":"Seq Scan"[^{}]*"Relation Name":"events_000000"/)
  }).pipe(Effect.scoped)
)
