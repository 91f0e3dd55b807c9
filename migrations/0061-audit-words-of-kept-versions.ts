import { type Kysely, sql } from "kysely"

/**
 * The sentences of configuration that waits for a second person, as those of 0034-audit-words-by-type and 0059-audit-words-in-number; and, written anew, those
 * of orders, which are not about releases alone any more, and of a Fleet object, which may name clusters.
 */
export const up = async (db: Kysely<unknown>) => {
  for (const [type, words] of Object.entries(sentences)) {
    await sql`
      create or replace function audit.${sql.raw(`words_${type}`)}(before json, state json, holder text) returns text
      language sql immutable as ${sql.lit(`select ${words}`)}`.execute(db)
  }
}

const plural = (number: string, one: string, many: string): string =>
  `audit.plural_words((${number})::bigint, '${one}', '${many}')`
const cluster = `'routes of cluster ' || (state ->> 'cluster')`
const version = `case when state #>> '{version,_tag}' = 'AddressPool'
    then 'AddressPool ' || (state #>> '{version,pool,name}')
    else audit.name_words(state #> '{version,manifest}') end || ' as it was'`

const sentences = {
  VersionKept: `${cluster} || ' go on by ' || ${version} || ': what came instead waits for approval of ' || (state ->> 'order')`,
  VersionDropped: `${cluster} || ' go no longer by ' || ${version}`,
  RoutesTaken: `'configuration of cluster ' || (state ->> 'cluster') || ' left '
    || ${plural(`state #>> '{taken,-1,addresses}'`, "address", "addresses")} || ' without a route'`,
  WithdrawalsHeld: `'order ' || (state ->> 'id') || ' waits for a second person: '
    || ${plural(`state ->> 'count'`, "address", "addresses")} || ' of cluster ' || (state ->> 'cluster')
    || ', by order of ' || (state ->> 'author')`,
  FleetApplied: `'fleet ' || (state ->> 'name') || ' lets ' || (state #>> '{blastRadius,maxWithdrawPercent}') || ' % and '
    || ${plural(`state #>> '{blastRadius,maxWithdrawRoutes}'`, "route", "routes")} || ' be withdrawn within '
    || trim_scale((state #>> '{blastRadius,perMs}')::numeric / 1000) || ' s without a second person, of each cluster '
    || (state #>> '{blastRadius,cluster,maxWithdrawPercent}') || ' % and '
    || (state #>> '{blastRadius,cluster,maxWithdrawRoutes}')
    || coalesce((
      select string_agg(', of ' || share.key || ' ' || (share.value ->> 'maxWithdrawPercent') || ' % and '
        || (share.value ->> 'maxWithdrawRoutes'), '' order by share.place)
      from json_each(state #> '{blastRadius,clusters}') with ordinality as share(key, value, place)), '')`
} as const
