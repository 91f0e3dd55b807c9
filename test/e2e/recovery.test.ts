import { readdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { waitUntil } from "@lowtide/testkit/lab/index"
import { Effect } from "effect"
import pg from "pg"
import type { Fleet } from "../../scripts/demo/fleet.ts"
import { component, getsRoute, isSettled, newService, runningFleet, services, tables } from "./fleet-scope.ts"

/** The ledger's URL, over the socket that its server has in its folder. */
const databaseOf = (fleet: Fleet): string => {
  const folder = join(fleet.site.folder, "postgres")
  const port = readdirSync(folder).flatMap((name) => /^\.s\.PGSQL\.(\d+)$/.exec(name)?.[1] ?? [])[0]
  return `postgres://postgres@${encodeURIComponent(folder)}:${port}/postgres`
}

// biome-ignore lint/suspicious/noExplicitAny: rows as the statement names them
const sql = (fleet: Fleet, text: string): Effect.Effect<ReadonlyArray<any>> =>
  Effect.promise(async () => {
    const client = new pg.Client({ connectionString: databaseOf(fleet) })
    await client.connect()
    try {
      return (await client.query(text)).rows
    } finally {
      await client.end()
    }
  })

/** UPDATEs that each router has had so far: a route that flaps leaves some behind, however short. */
const updates = (fleet: Fleet) =>
  Effect.forEach(fleet.site.clusters, ({ router }) => router.updates)

/** Addresses by Service, as readers see them. */
const held = (fleet: Fleet) =>
  Effect.map(services(fleet), (items) =>
    Object.fromEntries(
      items.map(({ cluster, namespace, name, addresses }) => [
        `${cluster}/${namespace}/${name}`,
        addresses.map(({ address }) => address).join(" ")
      ])
    )
  )

const isRecovered = (fleet: Fleet) =>
  sql(fleet, "select 1 from events where type = 'ClusterRepublished' group by type having count(*) >= 2").pipe(
    Effect.map((rows) => rows.length > 0),
    Effect.catchDefect(() => Effect.succeed(false))
  )

it.live("PostgreSQL and NATS lost together: speakers and statuses remember, and no route changes", () =>
  Effect.gen(function* () {
    const fleet = yield* runningFleet
    const addressesBefore = yield* held(fleet)
    const tablesBefore = yield* tables(fleet)
    const updatesBefore = yield* updates(fleet)
    yield* component(fleet, "allocator").kill
    yield* component(fleet, "nats").kill
    rmSync(join(fleet.site.folder, "nats/store"), { recursive: true, force: true })
    yield* sql(fleet, "drop schema public cascade; create schema public")
    yield* component(fleet, "nats").start
    yield* component(fleet, "allocator").start
    yield* waitUntil("both clusters are published anew", isRecovered(fleet), { deadlineMs: 60_000 })
    yield* waitUntil("everything is as it should be", isSettled(fleet), { deadlineMs: 60_000 })
    assert.deepStrictEqual(yield* held(fleet), addressesBefore, "every Service has the address that it had")
    assert.deepStrictEqual(yield* tables(fleet), tablesBefore)
    assert.deepStrictEqual(yield* updates(fleet), updatesBefore, "no router was told anything")
    writeFileSync(join(fleet.manifests, "east/services/later.yaml"), newService("later", "east-1"))
    yield* waitUntil("a new Service gets its route", getsRoute(fleet, "later"), { deadlineMs: 30_000 })
    const [{ doubles }] = yield* sql(
      fleet,
      "select count(*)::int as doubles from (select network, address from vip_history where to_seq is null group by 1, 2 having count(*) > 1) d"
    )
    assert.strictEqual(doubles, 0)
  }).pipe(Effect.scoped)
)
