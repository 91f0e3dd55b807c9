import { type Kysely, sql } from "kysely"

/** Sentences of the events of the fleet's own pools. See 0034-audit-words-by-type. */
export const up = async (db: Kysely<unknown>) => {
  for (const [type, words] of Object.entries(sentences)) {
    await sql`
      create function audit.${sql.raw(`words_${type}`)}(before json, state json, holder text) returns text
      language sql immutable as ${sql.lit(`select ${words}`)}`.execute(db)
  }
}

const pool = `'AddressPool ' || (state #>> '{pool,name}')`

const sentences = {
  AddressPoolApplied: `${pool} || ' of network ' || (state #>> '{pool,network}') || ' was '
    || case when before is null then 'created' when before ->> 'retired' = 'true' then 'brought back' else 'changed' end
    || ': ' || (
      select string_agg(value, ', ' order by place)
      from json_array_elements_text(state #> '{pool,pool,ranges}') with ordinality as listed (value, place))`,
  AddressPoolRetired: `${pool} || ' was deleted while addresses of it are held: it gives out nothing more'`,
  AddressPoolDeleted: `${pool} || ' was deleted'`
} as const
