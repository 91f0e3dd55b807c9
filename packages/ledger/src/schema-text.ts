import { withClient } from "./client.ts"

/**
 * The schema of a migrated database as text, for `migrations/schema.sql`: the same on every PostgreSQL version we
 * support, unlike a dump. Partitions are left out, since how many there are is not schema.
 */
export const schemaText = (url: string): Promise<string> =>
  withClient(url, async (client) => {
    const sections = []
    for (const query of [tables, indexes, functions, triggers, auditViews, auditFunctions]) {
      sections.push((await client.query<{ text: string }>(query)).rows.map((row) => row.text))
    }
    return `${header}\n${sections.flat().join("\n\n")}\n`
  })

const header = `-- What the migrations beside this file lead to. Made by: node scripts/schema-sql.ts --update
`

/** Ours: in schema public, not a partition, not Kysely's own. */
const ours = "c.relnamespace = 'public'::regnamespace and not c.relispartition and c.relname !~ '^kysely_'"

const tables = `
select 'create table ' || c.relname || E' (\\n' || (
    select string_agg(line, E',\\n' order by place) from (
      select a.attnum as place, '  ' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
        || case when a.attnotnull then ' not null' else '' end
        || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '') as line
      from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
      where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      union all
      select 10000 + row_number() over (order by o.contype desc, o.conname), '  ' || pg_get_constraintdef(o.oid)
      from pg_constraint o where o.conrelid = c.oid and o.contype in ('p', 'u', 'c', 'f')
    ) lines
  ) || E'\\n)' || case when c.relkind = 'p' then ' partition by ' || pg_get_partkeydef(c.oid) else '' end
  || coalesce(' with (' || array_to_string(c.reloptions, ', ') || ')', '') || ';'
  || coalesce((
    select string_agg(format(E'\\ncomment on column %s.%s is %L;', c.relname, a.attname, p.description), '' order by a.attnum)
    from pg_description p join pg_attribute a on a.attrelid = p.objoid and a.attnum = p.objsubid where p.objoid = c.oid
  ), '') as text
from pg_class c where ${ours} and c.relkind in ('r', 'p') order by c.relname`

const indexes = `
select pg_get_indexdef(i.indexrelid) || ';' as text
from pg_index i join pg_class c on c.oid = i.indrelid join pg_class n on n.oid = i.indexrelid
where ${ours} and c.relkind in ('r', 'p') and not exists (select 1 from pg_constraint o where o.conindid = i.indexrelid)
order by c.relname, n.relname`

const functions = `
select rtrim(pg_get_functiondef(p.oid), E'\\n') || ';' as text
from pg_proc p where p.pronamespace = 'public'::regnamespace order by p.proname`

/** What schema `audit` promises: the columns of its views, and what its functions take and answer. How they do it is in the migrations. */
const auditViews = `
select '-- view audit.' || c.relname || ' (' || string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod), ', '
  order by a.attnum) || ')' as text
from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
where c.relnamespace = to_regnamespace('audit') and c.relkind = 'v' group by c.relname order by c.relname`

const auditFunctions = `
select '-- function audit.' || p.proname || '(' || pg_get_function_arguments(p.oid) || ') returns '
  || pg_get_function_result(p.oid) as text
from pg_proc p where p.pronamespace = to_regnamespace('audit') order by p.proname`

const triggers = `
select pg_get_triggerdef(t.oid) || ';' as text
from pg_trigger t join pg_class c on c.oid = t.tgrelid
where ${ours} and not t.tgisinternal order by c.relname, t.tgname`
