import { type Kysely, sql } from "kysely"

/** Which fleet version each allocator knows; one that does not say is of the first. And the words of the event that finalises one. */
export const up = async (db: Kysely<unknown>) => {
  await sql`alter table allocator add column fleet_version smallint not null default 1`.execute(db)
  await sql`
    create function audit.words_FleetVersionFinalised(before json, state json, holder text) returns text
    language sql immutable as $$ select 'the fleet is of version ' || (state ->> 'version') || case
      when before is null then '' else ', and was of ' || (before ->> 'version') end $$`.execute(db)
}
