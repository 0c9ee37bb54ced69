-- Ids compare and sort by their bytes, whatever the locale of the server: pages and pairs depend on that order.

create table bo.ledger_entries (
    tx_id text collate "C" primary key,
    wallet_id text collate "C" not null,
    entry_type text collate "C" not null,
    amount numeric(18, 2) not null,
    amount_signed numeric(18, 2),
    related_id text collate "C",
    related_type text collate "C",
    event_time timestamptz not null,
    created_at timestamptz not null,
    updated_at timestamptz,
    ingested_at timestamptz not null default now(),
    source_version bigint,
    row_digest bytea not null,
    left_related_id text collate "C",
    constraint ledger_entries_ids check (
        tx_id <> '' and length(tx_id) <= 255
        and wallet_id <> '' and length(wallet_id) <= 255
        and length(related_id) <= 255
    ),
    constraint ledger_entries_kind check (
        entry_type <> '' and length(entry_type) <= 255 and length(related_type) <= 255
    ),
    constraint ledger_entries_amounts check (amount >= 0 and amount <> 'NaN' and amount_signed <> 'NaN'),
    constraint ledger_entries_digest check (octet_length(row_digest) = 16)
);
comment on column bo.ledger_entries.row_digest is
'Digest of the normalised row: decides between two events that say the same about their order.';
comment on column bo.ledger_entries.left_related_id is
'The payment order that the last change of this row took it away from, whose pair was computed anew.';
create index ix_bo_ledger_entries_related_id on bo.ledger_entries (related_id);
create index ix_bo_ledger_entries_wallet_id_event_time on bo.ledger_entries (wallet_id, event_time desc, tx_id);
create index ix_bo_ledger_entries_event_time on bo.ledger_entries (event_time);

create table bo.payment_orders (
    order_id text collate "C" primary key,
    user_id text collate "C",
    merchant_name text,
    amount numeric(18, 2) not null,
    status text collate "C" not null,
    created_at timestamptz not null,
    updated_at timestamptz,
    ingested_at timestamptz not null default now(),
    source_version bigint,
    row_digest bytea not null,
    constraint payment_orders_ids check (
        order_id <> '' and length(order_id) <= 255 and length(user_id) <= 255
    ),
    constraint payment_orders_texts check (
        status <> '' and length(status) <= 255 and length(merchant_name) <= 500
    ),
    constraint payment_orders_amount check (amount >= 0 and amount <> 'NaN'),
    constraint payment_orders_digest check (octet_length(row_digest) = 16)
);
comment on column bo.payment_orders.row_digest is
'Digest of the normalised row: decides between two events that say the same about their order.';
create index ix_bo_payment_orders_user_id on bo.payment_orders (user_id);
create index ix_bo_payment_orders_merchant_name on bo.payment_orders (merchant_name);
create index ix_bo_payment_orders_status on bo.payment_orders (status);
create index ix_bo_payment_orders_created_at on bo.payment_orders (created_at);

create table bo.payment_ledger_pairs (
    payment_order_id text collate "C" primary key,
    payment_tx_id text collate "C",
    receive_tx_id text collate "C",
    payer_wallet_id text collate "C",
    payee_wallet_id text collate "C",
    amount numeric(18, 2),
    status text collate "C",
    event_time timestamptz,
    updated_at timestamptz not null default now(),
    ingested_at timestamptz not null default now(),
    constraint payment_ledger_pairs_payer check ((payment_tx_id is null) = (payer_wallet_id is null)),
    constraint payment_ledger_pairs_payee check ((receive_tx_id is null) = (payee_wallet_id is null))
);
create index ix_bo_payment_ledger_pairs_payment_tx_id on bo.payment_ledger_pairs (payment_tx_id);
create index ix_bo_payment_ledger_pairs_receive_tx_id on bo.payment_ledger_pairs (receive_tx_id);

create table bo.admin_audit_logs (
    audit_id bigint generated always as identity primary key,
    actor_id text,
    actor_roles text,
    action text not null,
    resource_type text not null,
    resource_id text,
    result text not null,
    status_code integer not null,
    request_method text not null,
    request_path text not null,
    request_query text,
    ip text,
    user_agent text,
    requested_at timestamptz not null default now(),
    duration_ms integer,
    result_count integer,
    correlation_id text,
    occurrences integer not null default 1,
    constraint admin_audit_logs_occurrences check (occurrences >= 1)
);
comment on column bo.admin_audit_logs.occurrences is
'How many refused requests of one address this row stands for; 1 for everything else.';
create index ix_bo_admin_audit_logs_requested_at on bo.admin_audit_logs (requested_at);
create index ix_bo_admin_audit_logs_resource_id on bo.admin_audit_logs (resource_id);
create index ix_bo_admin_audit_logs_actor_id on bo.admin_audit_logs (actor_id);
create index ix_bo_admin_audit_logs_resource_time on bo.admin_audit_logs (resource_id, requested_at);

create table bo.consumer_dlq_events (
    dlq_id bigint generated always as identity primary key,
    topic text not null,
    partition integer,
    "offset" bigint,
    file_digest bytea,
    line bigint,
    key bytea,
    header_names bytea [] not null default '{}',
    header_values bytea [] not null default '{}',
    payload bytea,
    payload_digest bytea not null,
    error text not null,
    error_detail text not null,
    profile_id text,
    correlation_id text,
    ingested_at timestamptz not null default now(),
    replayed_at timestamptz,
    constraint consumer_dlq_events_error check (
        error in ('contract_core_violation', 'unsupported_topic', 'parse_error', 'internal_error')
    ),
    constraint consumer_dlq_events_origin check (
        (partition is not null and "offset" is not null and file_digest is null and line is null)
        or (partition is null and "offset" is null and file_digest is not null and line is not null)
    ),
    constraint consumer_dlq_events_headers check (cardinality(header_names) = cardinality(header_values))
);
comment on table bo.consumer_dlq_events is
'Events that could not be stored, each once: from a topic (partition, offset) or from a file (digest, line).';
create unique index uq_bo_consumer_dlq_events_message
on bo.consumer_dlq_events (topic, partition, "offset", payload_digest) where partition is not null;
create unique index uq_bo_consumer_dlq_events_line
on bo.consumer_dlq_events (topic, file_digest, line) where file_digest is not null;
create index ix_bo_consumer_dlq_events_ingested_at on bo.consumer_dlq_events (ingested_at);
create index ix_bo_consumer_dlq_events_topic on bo.consumer_dlq_events (topic);
create index ix_bo_consumer_dlq_events_topic_ingested_at on bo.consumer_dlq_events (topic, ingested_at);

create table bo.consumer_state (
    group_id text not null,
    topic text not null,
    partition integer not null,
    member text not null,
    position bigint,
    end_offset bigint,
    oldest_uncommitted_at timestamptz,
    polled_at timestamptz not null,
    primary key (group_id, topic, partition)
);
comment on table bo.consumer_state is
'One row per partition: how far its consumer has stored it, and when it last asked the broker. Caught up means'
' position = end_offset. oldest_uncommitted_at is the time of the first event that is not stored yet, if it is known.';

create table bo.backfills (
    file_digest bytea not null,
    kind text not null,
    selection text not null,
    bytes_done bigint not null,
    lines_done bigint not null,
    events bigint not null,
    failed bigint not null,
    started_at timestamptz not null default now(),
    finished_at timestamptz,
    primary key (file_digest, kind, selection),
    constraint backfills_kind check (kind in ('ledger', 'payment_order'))
);
comment on table bo.backfills is
'How far each file was read, written together with its rows, so that an interrupted backfill can go on.';

grant select, insert, update on bo.ledger_entries, bo.payment_orders, bo.consumer_state, bo.backfills to bo_consumer;
grant select, insert, update, delete on bo.payment_ledger_pairs, bo.consumer_dlq_events to bo_consumer;
grant select on bo.ledger_entries, bo.payment_orders, bo.payment_ledger_pairs, bo.consumer_state to bo_api;
grant insert on bo.admin_audit_logs to bo_api;
grant select on bo.admin_audit_logs to bo_audit;
