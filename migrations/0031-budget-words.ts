import { type Kysely, sql } from "kysely"

/** The sentences of what the budget of withdrawals leads to: see 0034-audit-words-by-type, which finds them by their names. */
export const up = async (db: Kysely<unknown>) => {
  for (const [type, words] of Object.entries(sentences)) {
    await sql`
      create function audit.${sql.raw(`words_${type}`)}(before json, state json, holder text) returns text
      language sql immutable as ${sql.lit(`select ${words}`)}`.execute(db)
  }
}

const order = `'order ' || (state ->> 'id')`
const addresses = `(state ->> 'count') || ' addresses of cluster ' || (state ->> 'cluster')`

const sentences = {
  FleetApplied: `'fleet ' || (state ->> 'name') || ' lets ' || (state #>> '{blastRadius,maxWithdrawPercent}') || ' % and '
    || (state #>> '{blastRadius,maxWithdrawRoutes}') || ' routes be withdrawn within '
    || trim_scale((state #>> '{blastRadius,perMs}')::numeric / 1000) || ' s without a second person, of each cluster '
    || (state #>> '{blastRadius,cluster,maxWithdrawPercent}') || ' % and '
    || (state #>> '{blastRadius,cluster,maxWithdrawRoutes}')`,
  FleetDeleted: `'fleet ' || (state ->> 'name') || ' was deleted: the standard budget holds'`,
  VipReleaseHeld: `(state ->> 'address') || ' stays announced: its withdrawal waits for approval of '
    || (state #>> '{heldRelease,order}')`,
  WithdrawalsHeld: `${order} || ' waits for a second person: ' || ${addresses} || ', released by ' || (state ->> 'author')`,
  WithdrawalsApproved: `${order} || ' was approved: ' || ${addresses} || ' are withdrawn'`,
  WithdrawalsRejected: `${order} || ' was rejected: ' || ${addresses} || ' stay announced'`
} as const
