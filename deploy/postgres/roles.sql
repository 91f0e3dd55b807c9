-- Roles for Lowtide's ledger: who owns it, who writes it, who reads it. PostgreSQL 15 or newer.
-- Run as a superuser in the ledger's database, before the allocator's first start or after; it may be run again:
--   psql -d lowtide -v ON_ERROR_STOP=1 -f roles.sql
-- Then give each role a password (\password lowtide_allocator) or another way in, and start the allocator with
--   DATABASE_URL=postgres://lowtide_allocator:...  LOWTIDE_MIGRATION_DATABASE_URL=postgres://lowtide_owner:...
-- A database whose tables a former role owns: REASSIGN OWNED BY that_role TO lowtide_owner, first.

do $$
declare
  name text;
begin
  foreach name in array array['lowtide_owner', 'lowtide_allocator', 'lowtide_auditor'] loop
    if not exists (select from pg_roles where rolname = name) then
      execute format('create role %I login', name);
    end if;
  end loop;
  -- Who owns the database may make tables in it. Nobody else comes in unasked.
  execute format('alter database %I owner to lowtide_owner', current_database());
  execute format('revoke all on database %I from public', current_database());
  execute format('grant connect on database %I to lowtide_allocator, lowtide_auditor', current_database());
end $$;

-- The allocator's rights are given by the allocator itself, with the owner's role, after each change of the schema
-- (packages/ledger/src/grant.ts): it may insert events, and change or delete none.

-- The auditor reads everything that there is, and will be, and writes nothing.
do $$
declare
  name text;
begin
  for name in select nspname from pg_namespace where nspname in ('public', 'audit') loop
    execute format('grant usage on schema %I to lowtide_auditor', name);
    execute format('grant select on all tables in schema %I to lowtide_auditor', name);
  end loop;
end $$;
alter default privileges for role lowtide_owner grant usage on schemas to lowtide_auditor;
alter default privileges for role lowtide_owner grant select on tables to lowtide_auditor;
alter role lowtide_auditor set default_transaction_read_only = on;
