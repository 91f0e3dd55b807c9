import { type Kysely, sql } from "kysely"

/** Sentences in which one is one, and more are many; see 0034-audit-words-by-type. What is exported is told by its range. */
export const up = async (db: Kysely<unknown>) => {
  await sql`
    create function audit.plural_words(number bigint, one text, many text) returns text language sql immutable as $$
      select number || ' ' || case when number = 1 then one else many end
    $$`.execute(db)
  for (const [type, words] of Object.entries(sentences)) {
    await sql`
      create or replace function audit.${sql.raw(`words_${type}`)}(before json, state json, holder text) returns text
      language sql immutable as ${sql.lit(`select ${words}`)}`.execute(db)
  }
}

const plural = (number: string, one: string, many: string): string =>
  `audit.plural_words((${number})::bigint, '${one}', '${many}')`
const quotaAddresses = plural(`state #>> '{quota,addresses}'`, "address", "addresses")
const order = `'order ' || (state ->> 'id')`
const withdrawals = (one: string, many: string): string =>
  `${plural(`state ->> 'count'`, "address", "addresses")} || ' of cluster ' || (state ->> 'cluster')
    || case when state ->> 'count' = '1' then '${one}' else '${many}' end`

const sentences = {
  VipReleased: `(state ->> 'address') || ' was released by ' || audit.list_words(state -> 'lastHolders')
    || coalesce('; ' || audit.list_words(state -> 'obliged')
      || case when json_array_length(state -> 'obliged') = 1 then ' is' else ' are' end
      || ' to confirm its withdrawal', '')`,
  QuotaApplied: `audit.quota_words(state) || ' allows ' || ${quotaAddresses} || ' ' || audit.quota_scope_words(state)`,
  QuotaDeleted: `audit.quota_words(state) || ' of ' || ${quotaAddresses} || ' '
    || audit.quota_scope_words(state) || ' was deleted'`,
  HistoryRecovered: `'incarnation ' || (state ->> 'incarnation') || ' has merged what is remembered: '
    || ${plural(`state ->> 'adoptedCount'`, "address is", "addresses are")} || ' reserved for who comes back'
    || coalesce('; not heard: ' || audit.list_words(state -> 'without'), '')`,
  AuditExported: `case when those is null then what else 'of ' || what || ', those with ' || those end
      || ' were exported as ' || (state ->> 'format')
      || coalesce(': ' || ${plural(`state ->> 'count'`, "event", "events")}, '')
    from (
      select case when state #>> '{filter,journal}' is null then 'events ' || range
          else 'rows ' || range || ' of the wire journal' end as what, (
          select string_agg(name || ' ' || value, ', ' order by place)
          from json_each_text(state -> 'filter') with ordinality as f (name, value, place) where name <> 'journal'
        ) as those
      from (select (state ->> 'sinceSeq') || ' to ' || (state ->> 'untilSeq') as range) r
    ) s`,
  WireJournalSealed: `'the wire journal until ' || (state ->> 'until') || ' is sealed: '
    || ${plural(`state ->> 'count'`, "row", "rows")}
    || ', ids ' || (state ->> 'sinceId') || ' to ' || (state ->> 'untilId') || ', root ' || (state ->> 'root')`,
  FleetApplied: `'fleet ' || (state ->> 'name') || ' lets ' || (state #>> '{blastRadius,maxWithdrawPercent}') || ' % and '
    || ${plural(`state #>> '{blastRadius,maxWithdrawRoutes}'`, "route", "routes")} || ' be withdrawn within '
    || trim_scale((state #>> '{blastRadius,perMs}')::numeric / 1000) || ' s without a second person, of each cluster '
    || (state #>> '{blastRadius,cluster,maxWithdrawPercent}') || ' % and '
    || (state #>> '{blastRadius,cluster,maxWithdrawRoutes}')`,
  WithdrawalsHeld: `${order} || ' waits for a second person: ' || ${withdrawals("", "")}
    || ', released by ' || (state ->> 'author')`,
  WithdrawalsApproved: `${order} || ' was approved: ' || ${withdrawals(" is withdrawn", " are withdrawn")}`,
  WithdrawalsRejected: `${order} || ' was rejected: ' || ${withdrawals(" stays announced", " stay announced")}`
} as const
