import { type Kysely, sql } from "kysely"

/**
 * A node that has nothing new to tell a router says that this one has the route as before. Where the report of its announcement is gone,
 * with a journal that was lost or by its age, or is of an earlier session, that is what shows it; and what a session could not carry,
 * it took back.
 */
export const up = async (db: Kysely<unknown>) => {
  await sql`
    create or replace function audit.announced_at(network text, address inet, at timestamptz)
    returns table (cluster text, node text, peer text, state text, since timestamptz) language sql stable as $$
      with report as (
        select w.id, w.cluster, w.node, w.peer, w.written_at,
          case w.action when 'unchanged' then 'as before' when 'refused' then 'withdrawn' else w.action end as action
        from audit.wire_reports w
        where w.network = announced_at.network and w.address = announced_at.address and w.written_at <= announced_at.at
          and (w.action in ('announced', 'withdrawn', 'refused') or (w.action = 'unchanged' and w.verdict in ('Announced', 'Standby')))
      ), session as not materialized (
        select c.id, c.cluster, c.node, c.peer, c.change, c.at from audit.sessions c
        where c.change in ('up', 'down') and c.at <= announced_at.at
      )
      select p.cluster, p.node, p.peer,
        case when t.action = 'withdrawn' or s.at is null or s.at <= t.since then t.action
          when s.change = 'down' then 'lost' else 'unknown' end,
        case when t.action = 'withdrawn' or s.at is null or s.at <= t.since then t.since else s.at end
      from (select distinct report.cluster, report.node, report.peer from report) p
      left join lateral (
        select r.id, r.action, r.written_at from report r
        where (r.cluster, r.node, r.peer) = (p.cluster, p.node, p.peer) and r.action <> 'as before'
        order by r.id desc limit 1
      ) told on true
      left join lateral (
        select c.change, c.at from session c where (c.cluster, c.node, c.peer) = (p.cluster, p.node, p.peer)
        order by c.id desc limit 1
      ) s on true
      left join lateral (
        select k.written_at from (
          select distinct on (b.id) r.id, r.written_at, b.change, b.at, min(r.id) over () as first_id
          from report r
          left join lateral (
            select c.id, c.change, c.at from session c
            where (c.cluster, c.node, c.peer) = (p.cluster, p.node, p.peer) and c.id < r.id
            order by c.id desc limit 1
          ) b on true
          where (r.cluster, r.node, r.peer) = (p.cluster, p.node, p.peer) and r.action = 'as before'
            and r.id > coalesce(told.id, 0)
          order by b.id, r.id
        ) k
        where (k.change = 'up' and (told.id is null or k.at > told.written_at))
          or (told.action is distinct from 'announced' and k.id = k.first_id)
        order by k.id desc limit 1
      ) kept on true
      cross join lateral (
        select case when kept.written_at is null then told.action else 'announced' end as action,
          coalesce(kept.written_at, told.written_at) as since
      ) t
      where t.since is not null
      order by p.cluster, p.node, p.peer
    $$`.execute(db)
}
