-- digest: 29da5dd175382a7acbe5b2299d3cb6c5da88956e44731b693c1055f2b3af3991
-- Pages of an id cost the same however many rows it has: entries of an order and the audit lie in the order of pages, and
-- the candidates of a pair in the order of pairing. While the ledger's indexes are built only writing to it waits; while
-- those of the audit are built, lookups cannot be recorded.
create index ix_bo_ledger_entries_sides on bo.ledger_entries (related_id, entry_type, event_time desc, tx_id)
where entry_type in ('PAYMENT', 'RECEIVE') and coalesce(related_type, '') in ('', 'PAYMENT_ORDER');
create index ix_new_related_id on bo.ledger_entries (related_id, event_time desc, tx_id);

-- Sessions of the console that were ended before their time. A row is of use until the session would have ended anyway.
create table bo.ended_sessions (
    session_id text collate "C" primary key,
    expires_at timestamptz not null,
    ended_at timestamptz not null default now()
);
comment on table bo.ended_sessions is
'Sessions of the console that a sign-out ended; rows go a day after the session would have ended anyway.';
create index ix_bo_ended_sessions_expires_at on bo.ended_sessions (expires_at);
grant select on bo.ended_sessions to bo_api;

create function bo.end_session(session text, expires_at timestamptz) returns void
language sql
security definer
set search_path = pg_catalog
as $$
    -- a day, because a session ends by the clock of a process and not by this one
    delete from bo.ended_sessions where ended_sessions.expires_at < now() - interval '1 day';
    insert into bo.ended_sessions (session_id, expires_at) values (end_session.session, end_session.expires_at)
    on conflict (session_id) do nothing;
$$;
revoke execute on function bo.end_session (text, timestamptz) from public;
grant execute on function bo.end_session (text, timestamptz) to bo_api;

-- Called within the statement of a lookup, which fails by it. Without a session (a token, nobody) it is not executed.
create function bo.require_open_session(session text) returns boolean
language plpgsql
stable
strict
as $$
begin
    if exists (select from bo.ended_sessions where session_id = session) then
        raise exception using errcode = 'PL401', message = 'the session was ended';
    end if;
    return true;
end $$;
revoke execute on function bo.require_open_session (text) from public;
grant execute on function bo.require_open_session (text) to bo_api;

-- A lookup reads the ledger before it writes the audit. Both are locked in that order, and the audit not before the
-- ledger's indexes are built: a lookup that waited for the audit would hold the ledger, whose old index could not go.
lock table bo.ledger_entries, bo.admin_audit_logs in access exclusive mode;

create index ix_new_requested_at on bo.admin_audit_logs (requested_at, audit_id);
create index ix_new_actor_id on bo.admin_audit_logs (actor_id, requested_at, audit_id);
create index ix_new_resource_time on bo.admin_audit_logs (resource_id, requested_at, audit_id);

-- When a row of the audit was written is not for its writer to say: the clock of the server says it, also for a row that
-- is written long after its transaction began.
alter table bo.admin_audit_logs alter column requested_at set default clock_timestamp();
revoke insert on bo.admin_audit_logs from bo_api;
grant insert (
    actor_id, actor_roles, action, resource_type, resource_id, result, status_code, request_method, request_path,
    request_query, ip, user_agent, duration_ms, result_count, correlation_id, occurrences
) on bo.admin_audit_logs to bo_api;

drop index bo.ix_bo_ledger_entries_related_id;
drop index bo.ix_bo_admin_audit_logs_requested_at;
drop index bo.ix_bo_admin_audit_logs_actor_id;
drop index bo.ix_bo_admin_audit_logs_resource_time;
alter index bo.ix_new_related_id rename to ix_bo_ledger_entries_related_id;
alter index bo.ix_new_requested_at rename to ix_bo_admin_audit_logs_requested_at;
alter index bo.ix_new_actor_id rename to ix_bo_admin_audit_logs_actor_id;
alter index bo.ix_new_resource_time rename to ix_bo_admin_audit_logs_resource_time;
