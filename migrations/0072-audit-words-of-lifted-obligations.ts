import { type Kysely, sql } from "kysely"

/**
 * The sentence of an obligation that is lifted, written anew after 0034-audit-words-by-type: a node may have confirmed, and
 * need not be retired. Which of the two it was is the event's reason.
 */
export const up = async (db: Kysely<unknown>) => {
  await sql`
    create or replace function audit.words_VipObligationLifted(before json, state json, holder text) returns text
    language sql immutable as ${sql.lit(`select ${words}`)}`.execute(db)
}

const words = `(state ->> 'address') || ' no longer waits for ' || coalesce((
  select string_agg(node, ', ' order by place)
  from json_array_elements_text(before -> 'obliged') with ordinality as b (node, place)
  where node not in (select json_array_elements_text(state -> 'obliged'))), '')`
