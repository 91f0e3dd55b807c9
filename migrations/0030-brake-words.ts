import { type Kysely, sql } from "kysely"

/** The sentence of `BrakeReleased`: see 0034-audit-words-by-type, which finds it by its name. */
export const up = async (db: Kysely<unknown>) => {
  await sql`
    create function audit.words_brakereleased(before json, state json, holder text) returns text
    language sql immutable as $$
      select 'the brakes of ' || coalesce('node ' || (state ->> 'node') || ' of ', 'all nodes of ') || 'cluster '
        || (state ->> 'cluster') || ' were released: what they held back is withdrawn'
    $$`.execute(db)
}
