import { Effect, Option } from "effect"
import type pg from "pg"
import { ask } from "./database.ts"

/**
 * One statement, so one transaction. Of two contenders the second waits for the row, looks at its new expiry and gets
 * nothing. Setting the head's epoch waits for the batch that the former leader may have in flight, and fences the rest.
 */
const acquireStatement = `
with taken as (
  update lease set
    holder = $1::uuid,
    epoch = greatest(epoch, (select epoch from log_head)) + 1,
    expires_at = clock_timestamp() + $2::bigint * interval '1 millisecond'
  where expires_at <= clock_timestamp()
  returning epoch
)
update log_head set epoch = taken.epoch from taken returning log_head.epoch`

const renewStatement = `
update lease set expires_at = clock_timestamp() + $2::bigint * interval '1 millisecond'
where epoch = $1 and expires_at > clock_timestamp()`

const releaseStatement = `
update lease set expires_at = clock_timestamp() where epoch = $1 and expires_at > clock_timestamp()`

/** The lease's three operations, over a connection that serves nothing else. */
export const makeLease = (pool: pg.Pool) => ({
  acquireLease: Effect.fn("Ledger.acquireLease")((holder: string, ttlMs: number) =>
    ask("acquireLease", () => pool.query<{ epoch: number }>(acquireStatement, [holder, ttlMs])).pipe(
      Effect.map(({ rows: [row] }) => Option.fromNullishOr(row))
    )
  ),
  renewLease: Effect.fn("Ledger.renewLease")((epoch: number, ttlMs: number) =>
    ask("renewLease", () => pool.query(renewStatement, [epoch, ttlMs])).pipe(
      Effect.map(({ rowCount }) => rowCount === 1)
    )
  ),
  releaseLease: Effect.fn("Ledger.releaseLease")((epoch: number) =>
    Effect.asVoid(ask("releaseLease", () => pool.query(releaseStatement, [epoch])))
  )
})
