/**
 * The one write statement. `$1` is the batch as one JSON object of row arrays, `$2` and `$3` the epoch and seq that the
 * head must have, `$4` how many events there are.
 *
 * - `fence` compares and sets the head; when it finds another leader's epoch, also after waiting for that leader's
 *   take-over to commit, every later part has no row to work on and the statement answers no row.
 * - Payloads travel as JSON strings inside the JSON, and are cast to `json` here, so their bytes survive.
 * - A stream's row is written only from the version the batch was decided on. When one is not, the last part raises,
 *   and the statement as a whole did nothing.
 * - `open_rows` looks up each VIP's open stretch by itself and `closed` goes by its row id, so that no plan, made while
 *   the table was small, walks all of them. Nobody else writes the table, so the ids hold.
 * - An event's leaf is the hash of its place, which is known here, and of its content's hash, which the leader computed
 *   (docs/reference/ledger-proofs.md). Each number stands behind its count of digits, as a netstring.
 * - `opened` reads `closed` first: the index that allows one open stretch a VIP must see the old one closed.
 */
export const appendStatement = `
with fence as (
  update log_head set
    seq = seq + $4::bigint,
    commit_seq = commit_seq + 1,
    recorded_at = greatest(recorded_at, date_trunc('milliseconds', clock_timestamp()))
  where one and epoch = $2::int and seq = $3::bigint
  returning epoch, seq, commit_seq, recorded_at
), place as materialized (
  select epoch, commit_seq, recorded_at,
    length(epoch::text) || ':' || epoch || ',' || length(commit_seq::text) || ':' || commit_seq || ',36:' as batch,
    ',24:' || to_char(recorded_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') || ',64:' as recorded
  from fence
), event_rows as (
  insert into events (seq, epoch, commit_seq, event_id, stream, version, type, schema, recorded_at, observed_at, network,
    address, pool, cluster, namespace, service, service_uid, actor, actor_kind, command_id, correlation_id, causation_seq,
    reason_code, data, meta, leaf_hash)
  select r.seq, r.epoch, r.commit_seq, r.event_id, r.stream, r.version, r.type, r.schema,
    r.recorded_at, r.observed_at, r.network, r.address, r.pool, r.cluster, r.namespace, r.service, r.service_uid,
    r.actor, r.actor_kind, r.command_id, r.correlation_id, r.causation_seq, r.reason_code, r.data::json, r.meta::json,
    sha256('\\x00'::bytea || convert_to(
      length(r.seq::text) || ':' || r.seq || ',' || r.batch || r.event_id || r.recorded || r.content || ',', 'UTF8'))
  from (
    select r.*, place.*, ledger_uuid_v7(place.recorded_at) as event_id
    from place, jsonb_to_recordset($1::jsonb -> 'events') as r (seq bigint, stream text, version int, type text,
      schema smallint, observed_at timestamptz, network text, address inet, pool text, cluster text, namespace text,
      service text, service_uid text, actor text, actor_kind text, command_id uuid, correlation_id uuid,
      causation_seq bigint, reason_code text, data text, meta text, content text)
  ) as r
  returning seq, leaf_hash
), type_rows as (
  insert into event_type (type, schema, first_seq)
  select r.type, r.schema, r.seq
  from fence, jsonb_to_recordset($1::jsonb -> 'types') as r (seq bigint, type text, schema smallint)
  where not exists (select 1 from event_type t where t.type = r.type and t.schema = r.schema)
), current_rows as materialized (
  select r.*, fence.recorded_at
  from fence, jsonb_to_recordset($1::jsonb -> 'current') as r (stream text, kind text, version int,
    previous_version int, seq bigint, schema smallint, state text)
), current_inserted as (
  insert into stream_current (stream, kind, version, seq, recorded_at, schema, state, state_digest)
  select stream, kind, version, seq, recorded_at, schema, state::json, hashtextextended(state, 0)
  from current_rows where previous_version = 0
  on conflict (stream) do nothing
  returning stream
), current_updated as (
  update stream_current as s
  set kind = r.kind, version = r.version, seq = r.seq, recorded_at = r.recorded_at, schema = r.schema,
    state = r.state::json, state_digest = hashtextextended(r.state, 0)
  from current_rows as r
  where r.previous_version > 0 and s.stream = r.stream and s.version = r.previous_version
  returning s.stream
), history_rows as materialized (
  select r.*, fence.recorded_at, lead(r.seq) over (partition by r.network, r.address, coalesce(r.member, '') order by r.seq) as next_seq
  from fence, jsonb_to_recordset($1::jsonb -> 'history') as r (network text, address inet, member text, seq bigint, state text,
    pool text, holders text, reason_code text, actor text)
), open_rows as materialized (
  select min(r.seq) as seq, r.recorded_at,
    (select v.ctid from vip_history v where v.network = r.network and v.address = r.address
      and v.member = coalesce(r.member, '') and v.to_seq is null) as row_id
  from history_rows r group by r.network, r.address, r.member, r.recorded_at
), closed as (
  update vip_history as v set to_seq = r.seq, valid_to = r.recorded_at
  from open_rows as r where v.ctid = r.row_id
  returning 1
), opened as (
  insert into vip_history (network, address, member, from_seq, to_seq, valid_from, valid_to, state, pool, holders, reason_code,
    actor)
  select network, address, coalesce(member, ''), seq, next_seq, recorded_at,
    case when next_seq is null then 'infinity' else recorded_at end, state, pool, holders::json, reason_code, actor
  from history_rows where (select count(*) from closed) >= 0
), intent_rows as (
  insert into intent (cluster, subject, cseq, seq, envelope, summary, summary_cseq)
  select r.cluster, r.subject, r.cseq, r.seq, r.envelope, r.summary, case when r.summary is not null then r.cseq end
  from fence, jsonb_to_recordset($1::jsonb -> 'intents') as r (cluster text, subject text, cseq bigint, seq bigint,
    envelope text, summary text)
  on conflict (cluster, subject) do update
  set cseq = excluded.cseq, seq = excluded.seq, envelope = excluded.envelope, summary = excluded.summary,
    summary_cseq = excluded.summary_cseq
), intents_removed as (
  delete from intent as i
  using fence, jsonb_to_recordset($1::jsonb -> 'intentsRemoved') as r (cluster text, subject text)
  where i.cluster = r.cluster and i.subject = r.subject
), intent_head_rows as (
  insert into intent_head (cluster, cseq, seq, digest, count, envelope, begun_cseq)
  select r.cluster, r.cseq, r.seq, r.digest, r.count, r.envelope, r."begunCseq"
  from fence, jsonb_to_recordset($1::jsonb -> 'intentHeads') as r (cluster text, cseq bigint, seq bigint, digest text,
    count int, envelope text, "begunCseq" bigint)
  on conflict (cluster) do update
  set cseq = excluded.cseq, seq = excluded.seq, digest = excluded.digest, count = excluded.count,
    envelope = excluded.envelope, begun_cseq = excluded.begun_cseq
), result_rows as (
  insert into command_result (command_id, seq_from, seq_to, outcome, recorded_at)
  select r.command_id, r.seq_from, r.seq_to, r.outcome::json, fence.recorded_at
  from fence, jsonb_to_recordset($1::jsonb -> 'results') as r (command_id uuid, seq_from bigint, seq_to bigint,
    outcome text)
)
select seq, commit_seq, recorded_at,
  (select string_agg(leaf_hash, ''::bytea order by seq) from event_rows) as leaves,
  case when (select count(*) from current_inserted) + (select count(*) from current_updated)
    <> (select count(*) from current_rows)
  then ledger_conflict((
    select format('stream %s: expected version %s, found %s', r.stream, r.previous_version,
      coalesce((select s.version from stream_current s where s.stream = r.stream), 0))
    from current_rows as r
    where r.stream not in (select stream from current_inserted union all select stream from current_updated)
    order by r.seq limit 1))
  end as conflict
from fence`
