import { Effect } from "effect"
import type pg from "pg"
import { ask } from "./database.ts"

const raiseStatement = `
with raised as (
  update log_head set incarnation = greatest(incarnation, $2::int) where epoch = $1::int returning incarnation
)
delete from recovery_order where exists (select 1 from raised)`

/** What a loss of history leaves in the database beside the log. */
export const makeIncarnations = (pool: pg.Pool) => ({
  raiseIncarnation: Effect.fn("Ledger.raiseIncarnation")((epoch: number, atLeast: number) =>
    Effect.asVoid(ask("raiseIncarnation", () => pool.query(raiseStatement, [epoch, atLeast])))
  ),
  recoveryOrder: ask("recoveryOrder", () => pool.query<{ why: string }>("select why from recovery_order")).pipe(
    Effect.map(({ rows: [row] }) => row?.why ?? null)
  ),
  orderRecovery: Effect.fn("Ledger.orderRecovery")((why: string) =>
    Effect.asVoid(
      ask("orderRecovery", () =>
        pool.query("insert into recovery_order (why) values ($1) on conflict (one) do update set why = excluded.why", [
          why
        ])
      )
    )
  )
})
