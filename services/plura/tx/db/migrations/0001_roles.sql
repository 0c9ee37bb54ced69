-- digest: 6c589a5405072440820f533239c8c5bef1e4334429ccfaa227cf21eeafa36c41
-- Nobody signs in as these roles: a process signs in as a user who is a member, and takes the role with SET ROLE.
-- Roles belong to the whole server, so another database may have made them already, or an administrator: on PostgreSQL
-- 14 and 15 a user who may create roles may do nearly everything, so the owner of the schema should not.
do $$
declare
    name text;
begin
    foreach name in array array['bo_consumer', 'bo_api', 'bo_audit'] loop
        if to_regrole(name) is null then
            begin
                execute format('create role %I nologin', name);
            exception
                when duplicate_object or unique_violation then null;
                when insufficient_privilege then
                    raise insufficient_privilege using message = format(
                        'the role %s is missing, and %s may not create it: an administrator of the server creates the'
                        ' roles first, see "Set up" in docs/tx/operations.md', name, current_user
                    );
            end;
        end if;
        if not pg_has_role(current_user, name, 'member') then
            execute format('grant %I to current_user', name);
        end if;
    end loop;
end $$;

grant usage on schema bo to bo_consumer, bo_api, bo_audit;
grant select on bo.schema_migrations to bo_consumer, bo_api;
