-- From PostgreSQL 16 on whoever makes a role may hand it out, and still not take it. One who may hand it out takes it; one
-- who may not is a member already.
do $$
declare
    name text;
begin
    foreach name in array array['bo_consumer', 'bo_api', 'bo_audit'] loop
        begin
            execute format('grant %I to current_user', name);
        exception
            when insufficient_privilege then null;
        end;
    end loop;
end $$;
