-- What the migrations beside this file lead to. Made by: node scripts/schema-sql.ts --update

create table allocator (
  id uuid not null,
  name text not null,
  url text,
  position bigint not null,
  started_at timestamp with time zone not null,
  seen_at timestamp with time zone not null,
  fleet_version smallint not null default 1,
  PRIMARY KEY (id)
) with (fillfactor=50);

create table audit_read (
  id bigint not null default nextval('audit_read_id_seq'::regclass),
  read_at timestamp with time zone not null default date_trunc('milliseconds'::text, clock_timestamp()),
  actor text not null,
  is_authenticated boolean not null,
  question text not null,
  position bigint not null,
  PRIMARY KEY (id)
);

create table command_result (
  command_id uuid not null,
  seq_from bigint,
  seq_to bigint,
  outcome json not null,
  recorded_at timestamp with time zone not null,
  PRIMARY KEY (command_id)
);

create table event_type (
  type text not null,
  schema smallint not null,
  first_seq bigint not null,
  PRIMARY KEY (type, schema)
);

create table events (
  seq bigint not null,
  epoch integer not null,
  commit_seq bigint not null,
  event_id uuid not null,
  stream text not null,
  version integer not null,
  type text not null,
  schema smallint not null,
  recorded_at timestamp with time zone not null,
  observed_at timestamp with time zone,
  network text,
  address inet,
  pool text,
  cluster text,
  namespace text,
  service text,
  service_uid text,
  actor text not null,
  actor_kind text not null,
  command_id uuid not null,
  correlation_id uuid not null,
  causation_seq bigint,
  reason_code text not null,
  data json not null,
  meta json not null,
  leaf_hash bytea not null,
  PRIMARY KEY (seq)
) partition by RANGE (seq);

create table intent (
  cluster text not null,
  subject text not null,
  cseq bigint not null,
  seq bigint not null,
  envelope text not null,
  summary text,
  summary_cseq bigint,
  PRIMARY KEY (cluster, subject)
) with (fillfactor=70);

create table intent_head (
  cluster text not null,
  cseq bigint not null,
  seq bigint not null,
  digest text not null,
  count integer not null,
  envelope text not null,
  begun_cseq bigint,
  PRIMARY KEY (cluster)
) with (fillfactor=50);

create table lease (
  one boolean not null default true,
  holder uuid,
  epoch integer not null,
  expires_at timestamp with time zone not null,
  PRIMARY KEY (one),
  CHECK (one)
) with (fillfactor=10);

create table log_head (
  one boolean not null default true,
  incarnation integer not null,
  epoch integer not null,
  seq bigint not null,
  commit_seq bigint not null,
  recorded_at timestamp with time zone not null,
  PRIMARY KEY (one),
  CHECK (one)
) with (fillfactor=10);

create table projection_checkpoint (
  name text not null,
  version integer not null,
  position bigint not null,
  PRIMARY KEY (name, version)
) with (fillfactor=50);

create table recovery_order (
  one boolean not null default true,
  why text not null,
  PRIMARY KEY (one),
  CHECK (one)
);

create table replay_check (
  one boolean not null default true,
  checked_by text not null,
  position bigint not null,
  compared bigint not null,
  started_at timestamp with time zone not null,
  finished_at timestamp with time zone not null,
  PRIMARY KEY (one),
  CHECK (one)
) with (fillfactor=50);

create table replay_finding (
  projection text not null,
  key text not null,
  what text not null,
  found_at timestamp with time zone not null,
  seen_at timestamp with time zone not null,
  PRIMARY KEY (projection, key)
) with (fillfactor=50);

create table signed_checkpoint (
  incarnation integer not null,
  tree_size bigint not null,
  note text not null,
  PRIMARY KEY (incarnation, tree_size)
);

create table stream_current (
  stream text not null,
  kind text not null,
  version integer not null,
  seq bigint not null,
  recorded_at timestamp with time zone not null,
  state json,
  schema smallint not null default 1,
  state_digest bigint,
  PRIMARY KEY (stream)
) with (fillfactor=70);
comment on column stream_current.state is 'null: the stream is gone, its version is still needed';
comment on column stream_current.state_digest is 'hashtextextended(state::text, 0) when it was written';

create table tree_node (
  level smallint not null,
  index bigint not null,
  hash bytea not null,
  PRIMARY KEY (level, index)
);

create table vip_history (
  network text not null,
  address inet not null,
  from_seq bigint not null,
  to_seq bigint,
  valid_from timestamp with time zone not null,
  valid_to timestamp with time zone not null default 'infinity'::timestamp with time zone,
  state text not null,
  pool text not null,
  holders json not null,
  reason_code text not null,
  actor text not null,
  member text not null default ''::text,
  PRIMARY KEY (network, address, from_seq),
  CHECK (((to_seq > from_seq) AND (valid_to >= valid_from)))
) with (fillfactor=80);

create table wire_journal (
  id bigint not null default nextval('wire_journal_id_seq'::regclass),
  recorded_at timestamp with time zone not null,
  cluster text not null,
  network text,
  address inet,
  stamp_incarnation integer,
  stamp_epoch integer,
  stamp_seq bigint,
  kind text not null,
  node text,
  peer text,
  detail json not null,
  PRIMARY KEY (id)
);

CREATE INDEX audit_read_actor ON public.audit_read USING btree (actor, read_at, id);

CREATE INDEX audit_read_time ON public.audit_read USING btree (read_at, id);

CREATE INDEX command_result_recorded_at ON public.command_result USING brin (recorded_at);

CREATE INDEX events_actor_seq ON ONLY public.events USING btree (actor, seq DESC);

CREATE INDEX events_address_seq ON ONLY public.events USING btree (address, seq DESC) WHERE (address IS NOT NULL);

CREATE INDEX events_correlation_id ON ONLY public.events USING btree (correlation_id);

CREATE INDEX events_pool_seq ON ONLY public.events USING btree (pool, seq DESC) WHERE (pool IS NOT NULL);

CREATE INDEX events_recorded_at ON ONLY public.events USING brin (recorded_at) WITH (pages_per_range='32');

CREATE INDEX events_service_seq ON ONLY public.events USING btree (cluster, namespace, service, seq DESC);

CREATE UNIQUE INDEX events_stream_version_seq ON ONLY public.events USING btree (stream, version, seq);

CREATE UNIQUE INDEX vip_history_open ON public.vip_history USING btree (network, address, member) WHERE (to_seq IS NULL);

CREATE INDEX wire_journal_cluster ON public.wire_journal USING btree (cluster, id);

CREATE INDEX wire_journal_node_session ON public.wire_journal USING btree (cluster, node, peer, id) WHERE (kind = 'session'::text);

CREATE INDEX wire_journal_session ON public.wire_journal USING btree (peer, id) WHERE (kind = 'session'::text);

CREATE INDEX wire_journal_unread ON public.wire_journal USING btree (id) WHERE (kind = 'unread'::text);

CREATE INDEX wire_journal_vip ON public.wire_journal USING btree (network, address, id) WHERE (address IS NOT NULL);

CREATE OR REPLACE FUNCTION public.ledger_conflict(detail text)
 RETURNS bigint
 LANGUAGE plpgsql
AS $function$
    begin
      raise exception '%', detail using errcode = 'LT001';
    end $function$;

CREATE OR REPLACE FUNCTION public.ledger_drop_reads(until timestamp with time zone, at_most integer)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
    declare
      dropped int;
    begin
      delete from audit_read where id in (
        select id from audit_read where read_at < until order by read_at, id limit at_most);
      get diagnostics dropped = row_count;
      return dropped;
    end $function$;

CREATE OR REPLACE FUNCTION public.ledger_drop_segment(first_seq bigint, last_seq bigint)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
 SET lock_timeout TO '200ms'
AS $function$
    declare
      partition text;
      archived json;
      attempts int := 0;
    begin
      perform pg_advisory_xact_lock(hashtext('ledger_ensure_partitions'));
      select name into partition from ledger_partitions() where from_seq = first_seq and to_seq = last_seq;
      if partition is null then
        return false;
      end if;
      if exists (select from events where seq < first_seq) then
        raise exception 'expected the oldest events, found some before event %', first_seq using errcode = 'LT004';
      end if;
      -- Until then proofs about what comes after need leaves of the segment's last run of 256.
      if not exists (select from tree_node where level = 1 and index = last_seq / 256) then
        raise exception 'expected 256 events after event % whose hashes are kept, found fewer', last_seq using errcode = 'LT004';
      end if;
      select data -> 'after' into archived from events
        where stream = 'segment:' || first_seq and type in ('SegmentArchived', 'SegmentRestored')
        order by version desc limit 1;
      if archived is null or (archived ->> 'toSeq')::bigint <> last_seq
        or archived ->> 'leavesDigest' is distinct from ledger_leaves_digest(first_seq, last_seq) then
        raise exception 'expected an archive of events % to % as they are, found none in the log', first_seq, last_seq
          using errcode = 'LT004';
      end if;
      insert into tree_node (level, index, hash)
        select 0, seq - 1, leaf_hash from events where seq between last_seq - last_seq % 256 + 1 and last_seq
        on conflict do nothing;
      loop
        begin
          execute format('alter table events detach partition %I', partition);
          exit;
        exception when lock_not_available then
          attempts := attempts + 1;
          if attempts = 12 then
            raise exception 'expected the log at a moment when nobody reads it for long, found none within % tries', attempts
              using errcode = '55P03';
          end if;
        end;
        perform pg_sleep(0.2);
      end loop;
      execute format('drop table %I', partition);
      return true;
    end $function$;

CREATE OR REPLACE FUNCTION public.ledger_drop_wire(until_id bigint, at_most integer)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
    declare
      dropped int;
    begin
      if not exists (select from stream_current where stream = 'audit:wire-drops'
        and (state ->> 'untilId')::bigint >= until_id) then
        raise exception 'expected rows that the log says to be removed, found rows up to %', until_id using errcode = 'LT004';
      end if;
      delete from wire_journal where id in (select id from wire_journal where id <= until_id order by id limit at_most);
      get diagnostics dropped = row_count;
      return dropped;
    end $function$;

CREATE OR REPLACE FUNCTION public.ledger_ensure_partitions(seq bigint)
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
    declare
      size constant bigint := ledger_partition_events();
      at bigint := greatest(seq, 1);
      written constant bigint := (select h.seq from log_head h);
      below bigint;
      above bigint;
      partition text;
      complete int := 0;
    begin
      perform pg_advisory_xact_lock(hashtext('ledger_ensure_partitions'));
      while complete < 3 loop
        select max(to_seq) filter (where to_seq < at), min(from_seq) filter (where to_seq >= at)
          into below, above from ledger_partitions();
        below := coalesce(below, 0);
        if above is null or above > at then
          if below < written then
            raise exception 'expected a partition of events for seq % to %, found none: attach the one that was detached',
              below + 1, least(written, coalesce(above - 1, written)) using errcode = 'LT003';
          end if;
          select 'events_' || lpad((coalesce(max(substr(relname, 8)::bigint), -1) + 1)::text, 6, '0') into partition
            from pg_class where relnamespace = 'public'::regnamespace and relname ~ '^events_\d+$';
          execute format('create table %I (like events including all)', partition);
          execute format('create trigger events_refuse_truncate before truncate on %I '
            'for each statement execute function ledger_refuse_change()', partition);
          execute format('alter table events attach partition %I for values from (%s) to (%s)',
            partition, below + 1, least(below + 1 + size, coalesce(above, below + 1 + size)));
        else
          complete := complete + 1;
          select to_seq + 1 into at from ledger_partitions() where at between from_seq and to_seq;
        end if;
      end loop;
      return at - 1;
    end $function$;

CREATE OR REPLACE FUNCTION public.ledger_leaves_digest(first_seq bigint, last_seq bigint)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'public', 'pg_temp'
AS $function$
      select encode(sha256(string_agg(digest, ''::bytea order by run)), 'hex') from (
        select (seq - 1) / 4096 as run, sha256(string_agg(leaf_hash, ''::bytea order by seq)) as digest
        from events where seq between first_seq and last_seq group by 1
      ) as runs
    $function$;

CREATE OR REPLACE FUNCTION public.ledger_partition_events()
 RETURNS bigint
 LANGUAGE sql
 IMMUTABLE
AS $function$ select 5000000::bigint $function$;

CREATE OR REPLACE FUNCTION public.ledger_partitions()
 RETURNS TABLE(name text, from_seq bigint, to_seq bigint)
 LANGUAGE sql
 STABLE
 SET search_path TO 'public', 'pg_temp'
AS $function$
      select c.relname::text, bounds[1]::bigint, bounds[2]::bigint - 1
      from pg_inherits i join pg_class c on c.oid = i.inhrelid
      cross join lateral regexp_match(pg_get_expr(c.relpartbound, c.oid),
        'FROM \(''?(\d+)''?\) TO \(''?(\d+)''?\)') as bounds
      where i.inhparent = 'events'::regclass and not i.inhdetachpending
      order by 2
    $function$;

CREATE OR REPLACE FUNCTION public.ledger_places_until(seq bigint)
 RETURNS bigint
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'public', 'pg_temp'
AS $function$
    declare
      until bigint := greatest(seq, 1) - 1;
      part record;
    begin
      for part in select * from ledger_partitions() where to_seq > until loop
        exit when part.from_seq > until + 1;
        until := part.to_seq;
      end loop;
      return until;
    end $function$;

CREATE OR REPLACE FUNCTION public.ledger_refuse_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
    begin
      raise exception 'expected inserts only, found % on %: stored rows never change', tg_op, tg_table_name
        using errcode = 'LT002';
    end $function$;

CREATE OR REPLACE FUNCTION public.ledger_refuse_young_read()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
    begin
      if old.read_at > clock_timestamp() - interval '30 days' then
        raise exception 'expected questions of 30 days ago or before, found one of %: younger ones stay', old.read_at
          using errcode = 'LT002';
      end if;
      return old;
    end $function$;

CREATE OR REPLACE FUNCTION public.ledger_seq_at(at timestamp with time zone)
 RETURNS bigint
 LANGUAGE plpgsql
 STABLE
AS $function$
    declare
      low bigint := (select coalesce(min(seq), 1) - 1 from events);
      high bigint := (select seq from log_head);
      middle bigint;
    begin
      while low < high loop
        middle := (low + high + 1) / 2;
        if (select recorded_at <= at from events where seq = middle) then
          low := middle;
        else
          high := middle - 1;
        end if;
      end loop;
      return low;
    end $function$;

CREATE OR REPLACE FUNCTION public.ledger_uuid_v7(at timestamp with time zone)
 RETURNS uuid
 LANGUAGE sql
AS $function$
      select encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
        placing substring(int8send((extract(epoch from at) * 1000)::bigint) from 3) from 1 for 6), 52, 1), 53, 1), 'hex')::uuid
    $function$;

CREATE TRIGGER audit_read_refuse_change BEFORE UPDATE ON public.audit_read FOR EACH ROW EXECUTE FUNCTION ledger_refuse_change();

CREATE TRIGGER audit_read_refuse_truncate BEFORE TRUNCATE ON public.audit_read FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();

CREATE TRIGGER audit_read_refuse_young BEFORE DELETE ON public.audit_read FOR EACH ROW EXECUTE FUNCTION ledger_refuse_young_read();

CREATE TRIGGER events_refuse_change BEFORE DELETE OR UPDATE ON public.events FOR EACH ROW EXECUTE FUNCTION ledger_refuse_change();

CREATE TRIGGER events_refuse_truncate BEFORE TRUNCATE ON public.events FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();

CREATE TRIGGER signed_checkpoint_refuse_change BEFORE DELETE OR UPDATE ON public.signed_checkpoint FOR EACH ROW EXECUTE FUNCTION ledger_refuse_change();

CREATE TRIGGER tree_node_refuse_change BEFORE DELETE OR UPDATE ON public.tree_node FOR EACH ROW EXECUTE FUNCTION ledger_refuse_change();

CREATE TRIGGER wire_journal_refuse_change BEFORE UPDATE ON public.wire_journal FOR EACH ROW EXECUTE FUNCTION ledger_refuse_change();

-- view audit.checkpoints (incarnation integer, tree_size bigint, origin text, root text, note text)

-- view audit.complete_since (from_seq bigint, recorded_at timestamp with time zone)

-- view audit.events (seq bigint, recorded_at timestamp with time zone, observed_at timestamp with time zone, type text, reason text, actor text, actor_kind text, cluster text, namespace text, service text, network text, address inet, pool text, what text, words text, code text, stream text, version integer, correlation_id uuid, command_id uuid, event_id uuid, before json, after json)

-- view audit.reads (id bigint, read_at timestamp with time zone, actor text, is_authenticated boolean, question text, position bigint)

-- view audit.refusals (seq bigint, recorded_at timestamp with time zone, actor text, cluster text, namespace text, service text, code text, message text, expected text, found text, fix text, correlation_id uuid)

-- view audit.segments (from_seq bigint, to_seq bigint, phase text, first_at timestamp with time zone, last_at timestamp with time zone, file text, sha256 text, root text, since timestamp with time zone)

-- view audit.sessions (id bigint, recorded_at timestamp with time zone, cluster text, node text, peer text, change text, at timestamp with time zone, code text, detail text)

-- view audit.vip_history (network text, address inet, state text, pool text, cluster text, namespace text, service text, service_uid text, valid_from timestamp with time zone, valid_to timestamp with time zone, from_seq bigint, to_seq bigint, reason text, actor text)

-- view audit.wire_reports (id bigint, recorded_at timestamp with time zone, cluster text, network text, address inet, node text, verdict text, trigger text, peer text, action text, written_at timestamp with time zone, received_at timestamp with time zone, saved_at timestamp with time zone, stamp_incarnation integer, stamp_epoch integer, stamp_seq bigint)

-- function audit.announced_at(network text, address inet, at timestamp with time zone) returns TABLE(cluster text, node text, peer text, state text, since timestamp with time zone)

-- function audit.difference(since timestamp with time zone, until timestamp with time zone) returns TABLE(kind text, change text, cluster text, name text, seq bigint, recorded_at timestamp with time zone, actor text, reason text, what text, before json, after json)

-- function audit.difference_of_seqs(since_seq bigint, until_seq bigint) returns TABLE(kind text, change text, cluster text, name text, seq bigint, recorded_at timestamp with time zone, actor text, reason text, what text, before json, after json)

-- function audit.event_words(type text, stream text, holder text, data json) returns text

-- function audit.fields_changed(before json, after json) returns text

-- function audit.holder_words(vip json) returns text

-- function audit.is_there(state json) returns boolean

-- function audit.kind_words(state json) returns text

-- function audit.list_words(list json) returns text

-- function audit.name_words(object json) returns text

-- function audit.plural_words(number bigint, one text, many text) returns text

-- function audit.prefix_history(prefix inet) returns SETOF audit.events

-- function audit.quota_scope_words(state json) returns text

-- function audit.quota_words(state json) returns text

-- function audit.readable(document json) returns json

-- function audit.reason_words(type text, reason text) returns text

-- function audit.reserved_for_words(state json) returns text

-- function audit.service_words(state json) returns text

-- function audit.stream_words(state json) returns text

-- function audit.time_words(ms json) returns text

-- function audit.who_at(network text, address inet, at timestamp with time zone) returns SETOF audit.vip_history

-- function audit.words_addresspoolapplied(before json, state json, holder text) returns text

-- function audit.words_addresspooldeleted(before json, state json, holder text) returns text

-- function audit.words_addresspoolretired(before json, state json, holder text) returns text

-- function audit.words_addressreserved(before json, state json, holder text) returns text

-- function audit.words_assignmentrefused(before json, state json, holder text) returns text

-- function audit.words_auditexported(before json, state json, holder text) returns text

-- function audit.words_brakereleased(before json, state json, holder text) returns text

-- function audit.words_clusterregistered(before json, state json, holder text) returns text

-- function audit.words_clusterrepublished(before json, state json, holder text) returns text

-- function audit.words_findingsreported(before json, state json, holder text) returns text

-- function audit.words_findingsresolved(before json, state json, holder text) returns text

-- function audit.words_fleetapplied(before json, state json, holder text) returns text

-- function audit.words_fleetdeleted(before json, state json, holder text) returns text

-- function audit.words_fleetversionfinalised(before json, state json, holder text) returns text

-- function audit.words_historylost(before json, state json, holder text) returns text

-- function audit.words_historyrecovered(before json, state json, holder text) returns text

-- function audit.words_manifestapplied(before json, state json, holder text) returns text

-- function audit.words_manifestdeleted(before json, state json, holder text) returns text

-- function audit.words_manifestretired(before json, state json, holder text) returns text

-- function audit.words_namespacegone(before json, state json, holder text) returns text

-- function audit.words_namespaceobserved(before json, state json, holder text) returns text

-- function audit.words_nodegone(before json, state json, holder text) returns text

-- function audit.words_nodeobserved(before json, state json, holder text) returns text

-- function audit.words_noderetired(before json, state json, holder text) returns text

-- function audit.words_quotaapplied(before json, state json, holder text) returns text

-- function audit.words_quotadeleted(before json, state json, holder text) returns text

-- function audit.words_refusalcleared(before json, state json, holder text) returns text

-- function audit.words_reservationdeleted(before json, state json, holder text) returns text

-- function audit.words_routestaken(before json, state json, holder text) returns text

-- function audit.words_segmentarchived(before json, state json, holder text) returns text

-- function audit.words_segmentdropped(before json, state json, holder text) returns text

-- function audit.words_segmentrestored(before json, state json, holder text) returns text

-- function audit.words_servicegone(before json, state json, holder text) returns text

-- function audit.words_serviceobserved(before json, state json, holder text) returns text

-- function audit.words_servingnodeschanged(before json, state json, holder text) returns text

-- function audit.words_sharedaddressapplied(before json, state json, holder text) returns text

-- function audit.words_sharedaddressdeleted(before json, state json, holder text) returns text

-- function audit.words_versiondropped(before json, state json, holder text) returns text

-- function audit.words_versionkept(before json, state json, holder text) returns text

-- function audit.words_vipadopted(before json, state json, holder text) returns text

-- function audit.words_vipassigned(before json, state json, holder text) returns text

-- function audit.words_vipforcereleased(before json, state json, holder text) returns text

-- function audit.words_vipfreed(before json, state json, holder text) returns text

-- function audit.words_vipholderschanged(before json, state json, holder text) returns text

-- function audit.words_vipmoving(before json, state json, holder text) returns text

-- function audit.words_vipobligationlifted(before json, state json, holder text) returns text

-- function audit.words_vipquarantined(before json, state json, holder text) returns text

-- function audit.words_vipreleased(before json, state json, holder text) returns text

-- function audit.words_vipreleaseheld(before json, state json, holder text) returns text

-- function audit.words_wirejournalsealed(before json, state json, holder text) returns text

-- function audit.words_wirerowsdropped(before json, state json, holder text) returns text

-- function audit.words_withdrawalsapproved(before json, state json, holder text) returns text

-- function audit.words_withdrawalsheld(before json, state json, holder text) returns text

-- function audit.words_withdrawalsrejected(before json, state json, holder text) returns text
