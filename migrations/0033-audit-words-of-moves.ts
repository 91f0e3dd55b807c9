import { type Kysely, sql } from "kysely"

/** The sentence of an address that stays announced until another is in its place. See 0034-audit-words-by-type. */
export const up = async (db: Kysely<unknown>) => {
  await sql`
    create function audit.words_VipMoving(before json, state json, holder text) returns text
    language sql immutable as $$
      select (state ->> 'address') || ' is given up, and stays announced until the address that takes its place is'
    $$`.execute(db)
}
