import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { execute } from "@lowtide/testkit"
import { Effect } from "effect"
import { grantAllocator, migrate } from "../src/index.ts"
import { asRole, liveDatabases, rolesFile } from "./live-database.ts"

const databases = liveDatabases()

/** A database with its roles, one event in it, and how to come in as each role. */
const withRoles = Effect.gen(function* () {
  const url = yield* databases.fresh("template1")
  const { socketUrl } = yield* databases.server
  const roles = readFileSync(rolesFile, "utf8")
  yield* Effect.promise(() => execute(url, roles))
  const of = asRole(socketUrl, url)
  yield* migrate(of("lowtide_owner"))
  yield* grantAllocator(of("lowtide_owner"), "lowtide_allocator")
  yield* Effect.promise(() => execute(url, roles)) // again: it changes nothing
  return of
})

/** `42501` is insufficient_privilege, `25006` a write in a read-only transaction; undefined when it is carried out. */
const codeOf = (url: string, text: string) =>
  Effect.promise(() =>
    execute(url, text).then(
      () => undefined,
      (error: { readonly code?: string }) => error.code ?? String(error)
    )
  )

const anEvent = `insert into events (seq, epoch, commit_seq, event_id, stream, version, type, schema, recorded_at, actor,
  actor_kind, command_id, correlation_id, reason_code, data, meta, leaf_hash) values (1, 1, 1, gen_random_uuid(), 's', 1, 'T', 1, now(),
  'a', 'system', gen_random_uuid(), gen_random_uuid(), 'r', '{}', '{}', sha256(''))`

const table: ReadonlyArray<readonly [what: string, statement: string, may: ReadonlyArray<"allocator" | "auditor">]> = [
  ["insert an event", anEvent, ["allocator"]],
  ["read events", "select * from events", ["allocator", "auditor"]],
  ["read a partition", "select * from events_000000", ["allocator", "auditor"]],
  ["change an event", "update events set type = 'X'", []],
  ["change an event in its partition", "update events_000000 set type = 'X'", []],
  ["delete an event", "delete from events", []],
  ["truncate events", "truncate events", []],
  ["truncate a partition", "truncate events_000000", []],
  ["drop the trigger that refuses", "drop trigger events_refuse_change on events", []],
  ["disable the trigger that refuses", "alter table events disable trigger all", []],
  ["have triggers not fire", "set session_replication_role = replica", []],
  [
    "change what the trigger does",
    "create or replace function ledger_refuse_change() returns trigger language plpgsql as $$ begin return new; end $$",
    []
  ],
  ["detach a partition", "alter table events detach partition events_000000", []],
  ["drop events", "drop table events", []],
  ["make a table", "create table mine (x int)", []],
  ["have partitions made", "select ledger_ensure_partitions(20000000)", ["allocator"]],
  ["have a partition dropped that is not there", "select ledger_drop_segment(7, 9)", ["allocator"]],
  ["move the head", "update log_head set seq = seq", ["allocator"]],
  ["take the lease", "update lease set epoch = epoch", ["allocator"]],
  ["change the journal of what routers were told", "update wire_journal set kind = kind", []],
  ["delete from that journal", "delete from wire_journal", []],
  ["read that journal", "select * from wire_journal", ["allocator", "auditor"]],
  [
    "tell that somebody asked",
    "insert into audit_read (actor, is_authenticated, question, position) values ('a', true, 'q', 1)",
    ["allocator"]
  ],
  ["change who asked what", "update audit_read set actor = 'b'", []],
  ["delete who asked what", "delete from audit_read", []],
  ["have old questions removed", "select ledger_drop_reads('2020-01-01', 1)", ["allocator"]],
  ["read who asked what", "select * from audit.reads", ["auditor"]],
  ["forget a migration", "delete from kysely_migration", []],
  ["become the owner", "set role lowtide_owner", []],
  ["take over events", "alter table events owner to lowtide_allocator", []],
  ["read the views for auditors", "select * from audit.events limit 1", ["auditor"]],
  ["ask what differs between two places", "select * from audit.difference_of_seqs(0, 1)", ["auditor"]],
  ["ask what differs between two times", "select * from audit.difference('2020-01-01', now())", ["auditor"]],
  ["ask what happened to a prefix", "select * from audit.prefix_history('192.0.2.0/24')", ["auditor"]],
  ["read the checkpoints", "select * from audit.checkpoints", ["auditor"]],
  ["read the state", "select * from stream_current", ["allocator", "auditor"]],
  [
    "write though the session says otherwise",
    "set default_transaction_read_only = off; delete from stream_current",
    ["allocator"]
  ]
]

describe("the ledger's roles", () => {
  it.live("may do what they are for, and nothing else", () =>
    Effect.gen(function* () {
      const of = yield* withRoles
      for (const role of ["allocator", "auditor"] as const) {
        for (const [what, statement, may] of table) {
          const code = yield* codeOf(of(`lowtide_${role}`), statement)
          const expected = may.includes(role) ? [undefined] : ["42501", "25006"]
          assert.include(expected, code, `${role}: ${what}`)
        }
      }
      assert.strictEqual(yield* codeOf(of("lowtide_owner"), "delete from events"), "LT002", "not even who owns them")
    })
  )

  it.live("leave a role alone that owns everything", () =>
    Effect.gen(function* () {
      const of = yield* withRoles
      yield* grantAllocator(of("lowtide_owner"), "lowtide_owner")
      assert.isUndefined(yield* codeOf(of("lowtide_owner"), "create table more (x int)"))
      assert.isUndefined(yield* codeOf(of("lowtide_auditor"), "select * from more"), "the auditor reads what is new")
    })
  )
})
