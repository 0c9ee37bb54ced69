-- Spreads bo.ledger_entries over hash partitions of tx_id: plura tx migrate --ledger-partitions N. Time ranges are not
-- possible: a unique key has to contain the partition key, and the key is tx_id alone. The table is locked while its
-- rows are copied; the number is read from the setting plura.ledger_partitions.

do $$
declare
    partitions constant integer := current_setting('plura.ledger_partitions')::integer;
    traced constant text := pg_get_viewdef('bo.traced_entries'::regclass);
begin
    lock table bo.ledger_entries in access exclusive mode;
    drop view bo.traced_entries;
    alter table bo.ledger_entries rename to ledger_entries_whole;
    create table bo.ledger_entries (
        like bo.ledger_entries_whole including defaults including constraints including comments
    ) partition by hash (tx_id);
    for number in 0 .. partitions - 1 loop
        execute format(
            'create table bo.ledger_entries_%s partition of bo.ledger_entries for values with (modulus %s, remainder %s)',
            number, partitions, number
        );
    end loop;
    insert into bo.ledger_entries select * from bo.ledger_entries_whole;
    drop table bo.ledger_entries_whole;
    alter table bo.ledger_entries add constraint ledger_entries_pkey primary key (tx_id);
    create index ix_bo_ledger_entries_related_id on bo.ledger_entries (related_id, event_time desc, tx_id);
    create index ix_bo_ledger_entries_sides on bo.ledger_entries (related_id, entry_type, event_time desc, tx_id)
    where entry_type in ('PAYMENT', 'RECEIVE') and coalesce(related_type, '') in ('', 'PAYMENT_ORDER');
    create index ix_bo_ledger_entries_wallet_id_event_time on bo.ledger_entries (wallet_id, event_time desc, tx_id);
    create index ix_bo_ledger_entries_event_time on bo.ledger_entries (event_time);
    grant select, insert, update on bo.ledger_entries to bo_consumer;
    execute 'create view bo.traced_entries as ' || traced;
    grant select on bo.ledger_entries, bo.traced_entries to bo_api;
end $$;
analyze bo.ledger_entries;
