import { Effect } from "effect"
import type pg from "pg"
import { ask } from "./database.ts"

/** What an allocator says of itself. */
export interface AllocatorReport {
  /** The holder's id at the lease. */
  readonly id: string
  readonly name: string
  /** Where its API answers; null where nobody was told. */
  readonly url: string | null
  /** Seq of the last event that it has read. */
  readonly position: number
  /** The newest fleet version that it knows. */
  readonly fleetVersion: number
}

/** An allocator as the others see it; times ISO 8601 by the database's clock. */
export interface StoredAllocator extends AllocatorReport {
  readonly startedAt: string
  readonly seenAt: string
  /** Whether it holds the lease now. */
  readonly leads: boolean
}

/** An allocator that is not heard of for so long has ended. */
export const allocatorForgottenAfterMs = 3_600_000

const reportStatement = `
with forgotten as (
  delete from allocator where id <> $1::uuid and seen_at < clock_timestamp() - $5::bigint * interval '1 millisecond'
)
insert into allocator (id, name, url, position, fleet_version, started_at, seen_at)
values ($1::uuid, $2, $3, $4::bigint, $6::smallint, clock_timestamp(), clock_timestamp())
on conflict (id) do update set
  name = excluded.name, url = excluded.url, position = excluded.position,
  fleet_version = excluded.fleet_version, seen_at = excluded.seen_at`

const listStatement = `
select a.id, a.name, a.url, a.position, a.fleet_version as "fleetVersion", date_trunc('milliseconds', a.started_at) as "startedAt",
  date_trunc('milliseconds', a.seen_at) as "seenAt",
  exists (select 1 from lease l where l.holder = a.id and l.expires_at > clock_timestamp()) as leads
from allocator a order by a.name, a.started_at`

/** Who runs on this database. For people and for redirections: what keeps two leaders apart is the fence alone. */
export const makeAllocators = (pool: pg.Pool) => ({
  reportAllocator: Effect.fn("Ledger.reportAllocator")(({ id, name, url, position, fleetVersion }: AllocatorReport) =>
    Effect.asVoid(
      ask("reportAllocator", () =>
        pool.query(reportStatement, [id, name, url, position, allocatorForgottenAfterMs, fleetVersion])
      )
    )
  ),
  forgetAllocator: Effect.fn("Ledger.forgetAllocator")((id: string) =>
    Effect.asVoid(ask("forgetAllocator", () => pool.query("delete from allocator where id = $1::uuid", [id])))
  ),
  allocators: ask("allocators", () => pool.query<StoredAllocator>(listStatement)).pipe(Effect.map(({ rows }) => rows))
})
