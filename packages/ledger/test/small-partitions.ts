import { execute } from "@lowtide/testkit"
import { Effect } from "effect"

/** Makes the partitions of a log that has no event yet so small that a test can fill them. */
export const smallPartitions = (url: string, events: number) =>
  Effect.promise(() =>
    execute(
      url,
      `create or replace function ledger_partition_events() returns bigint language sql immutable
        as 'select ${events}::bigint';
      do $$ declare part record; begin
        for part in select name from ledger_partitions() loop execute format('drop table %I', part.name); end loop;
        perform ledger_ensure_partitions(1);
      end $$`
    )
  )
