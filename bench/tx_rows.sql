-- Fills the tables with a number of ledger entries: of five entries four are the sides of two payments, the fifth is a
-- charge. Ids are spread over their range, so that neither heap nor index has neighbours in one place.

-- name: ledger_entries
insert into bo.ledger_entries (
    tx_id, wallet_id, entry_type, amount, amount_signed, related_id, related_type,
    event_time, created_at, updated_at, source_version, row_digest
)
select
    'tx-' || left(md5(n::text), 16),
    'w-' || left(md5((n %% 200003)::text), 16),
    case n %% 5 when 4 then 'CHARGE' when 0 then 'PAYMENT' when 2 then 'PAYMENT' else 'RECEIVE' end,
    (n %% 100000) + 1,
    ((n %% 100000) + 1) * case when n %% 5 in (0, 2) then -1 else 1 end,
    case when n %% 5 < 4 then 'po-' || left(md5((n / 5 * 2 + n %% 5 / 2)::text), 16) end,
    case when n %% 5 < 4 then 'PAYMENT_ORDER' end,
    timestamptz '2026-01-01' + n * interval '1 millisecond',
    timestamptz '2026-01-01' + n * interval '1 millisecond',
    timestamptz '2026-01-01' + n * interval '1 millisecond',
    1,
    decode(md5(n::text), 'hex')
from generate_series(0::bigint, %(entries)s::bigint - 1) as n

-- name: payment_orders
insert into bo.payment_orders (
    order_id, user_id, merchant_name, amount, status, created_at, updated_at, source_version, row_digest
)
select
    'po-' || left(md5(n::text), 16),
    'u-' || left(md5((n %% 100003)::text), 16),
    'Merchant ' || n %% 5000,
    (n %% 100000) + 1,
    'SETTLED',
    timestamptz '2026-01-01' + n * interval '1 millisecond',
    timestamptz '2026-01-01' + n * interval '1 millisecond',
    1,
    decode(md5(n::text), 'hex')
from generate_series(0::bigint, %(entries)s::bigint / 5 * 2 - 1) as n

-- name: payment_ledger_pairs
insert into bo.payment_ledger_pairs (
    payment_order_id, payment_tx_id, receive_tx_id, payer_wallet_id, payee_wallet_id, amount, status,
    event_time, updated_at
)
select
    'po-' || left(md5(n::text), 16),
    'tx-' || left(md5(payment::text), 16),
    'tx-' || left(md5((payment + 1)::text), 16),
    'w-' || left(md5((payment %% 200003)::text), 16),
    'w-' || left(md5(((payment + 1) %% 200003)::text), 16),
    (n %% 100000) + 1,
    'SETTLED',
    timestamptz '2026-01-01' + (payment + 1) * interval '1 millisecond',
    timestamptz '2026-01-01' + (payment + 1) * interval '1 millisecond'
from generate_series(0::bigint, %(entries)s::bigint / 5 * 2 - 1) as n
cross join lateral (select n / 2 * 5 + n %% 2 * 2 as payment) as entry

-- name: indexes
-- Statements that take the keys and indexes of a table away, and those that make them anew.
select
    case when c.conname is null then format('drop index bo.%%I', i.relname)
        else format('alter table %%s drop constraint %%I', x.indrelid::regclass, c.conname)
    end as dropping,
    case when c.conname is null then pg_get_indexdef(x.indexrelid)
        else format('alter table %%s add constraint %%I %%s', x.indrelid::regclass, c.conname, pg_get_constraintdef(c.oid))
    end as making
from pg_index as x
inner join pg_class as i on x.indexrelid = i.oid
left join pg_constraint as c on x.indexrelid = c.conindid and c.contype = 'p'
where x.indrelid = ('bo.' || %(table)s::text)::regclass
