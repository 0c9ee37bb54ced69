-- How far replicas are behind is told to those who may read all statistics of the server. The API is told this one number
-- by the rights of the user who migrates; where that user may not read it either, it is null.
create function bo.replication_lag() returns double precision
language sql
stable
security definer
set search_path = pg_catalog
as $$
    -- on a primary the slowest replica, on a replica itself; null where there is neither
    select
        case
            when pg_is_in_recovery() then extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp())
            else (select max(extract(epoch from replay_lag)) from pg_stat_replication)
        end::double precision
$$;
revoke execute on function bo.replication_lag() from public;
grant execute on function bo.replication_lag() to bo_api;
