-- Nobody signs in as these roles: a process signs in as a user who is a member, and takes the role with SET ROLE.
-- Roles belong to the whole server, so another database may have made them already.
do $$
declare
    name text;
begin
    foreach name in array array['bo_consumer', 'bo_api', 'bo_audit'] loop
        begin
            execute format('create role %I nologin', name);
        exception
            when duplicate_object or unique_violation then null;
        end;
        if not pg_has_role(current_user, name, 'member') then
            execute format('grant %I to current_user', name);
        end if;
    end loop;
end $$;

grant usage on schema bo to bo_consumer, bo_api, bo_audit;
grant select on bo.schema_migrations to bo_consumer, bo_api;
