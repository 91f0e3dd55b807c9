import { type Kysely, sql } from "kysely"

/** Sentences of the events of shared addresses. See 0034-audit-words-by-type. */
export const up = async (db: Kysely<unknown>) => {
  for (const [type, words] of Object.entries(sentences)) {
    await sql`
      create function audit.${sql.raw(`words_${type}`)}(before json, state json, holder text) returns text
      language sql immutable as ${sql.lit(`select ${words}`)}`.execute(db)
  }
}

const shared = `'SharedAddress ' || (state #>> '{shared,name}')`

const sentences = {
  SharedAddressApplied: `${shared} || ' gives ' || (
      select string_agg(value, ' and ' order by place)
      from json_array_elements_text(state #> '{shared,addresses}') with ordinality as listed (value, place))
    || ' to ' || (
      select string_agg((m ->> 'cluster') || ' ' || (m ->> 'namespace') || '/' || (m ->> 'name') || ' (priority '
        || (m ->> 'priority') || ')', ', ' order by place)
      from json_array_elements(state #> '{shared,members}') with ordinality as members (m, place))`,
  SharedAddressDeleted: `${shared} || ' was deleted'`
} as const
