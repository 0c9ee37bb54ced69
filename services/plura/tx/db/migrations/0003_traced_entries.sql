-- A ledger entry with its payment order and its pair. Where the pair has no entry of one side, the entry that pairing
-- would choose stands in, so that every route tells the same about one order.
create view bo.traced_entries as
select
    e.tx_id,
    e.event_time,
    e.entry_type,
    e.amount,
    e.amount_signed,
    e.wallet_id,
    e.related_id,
    e.related_type,
    e.updated_at,
    e.ingested_at,
    o.order_id,
    o.status as order_status,
    o.merchant_name,
    p.payment_order_id is not null as has_pair,
    coalesce(p.payment_tx_id, payment.tx_id) as payment_tx_id,
    coalesce(p.receive_tx_id, receive.tx_id) as receive_tx_id,
    coalesce(p.payer_wallet_id, payment.wallet_id) as payer_wallet_id,
    coalesce(p.payee_wallet_id, receive.wallet_id) as payee_wallet_id
from bo.ledger_entries as e
left join bo.payment_orders as o on e.related_id = o.order_id
left join bo.payment_ledger_pairs as p on e.related_id = p.payment_order_id
left join lateral (
    select
        c.tx_id,
        c.wallet_id
    from bo.ledger_entries as c
    where
        p.payment_tx_id is null
        and coalesce(e.related_type, '') in ('', 'PAYMENT_ORDER')
        and e.related_id <> ''
        and c.related_id = e.related_id
        and c.entry_type = 'PAYMENT'
        and coalesce(c.related_type, '') in ('', 'PAYMENT_ORDER')
    order by c.event_time desc, c.tx_id asc
    limit 1
) as payment on true
left join lateral (
    select
        c.tx_id,
        c.wallet_id
    from bo.ledger_entries as c
    where
        p.receive_tx_id is null
        and coalesce(e.related_type, '') in ('', 'PAYMENT_ORDER')
        and e.related_id <> ''
        and c.related_id = e.related_id
        and c.entry_type = 'RECEIVE'
        and coalesce(c.related_type, '') in ('', 'PAYMENT_ORDER')
    order by c.event_time desc, c.tx_id asc
    limit 1
) as receive on true;

grant select on bo.traced_entries to bo_api;
