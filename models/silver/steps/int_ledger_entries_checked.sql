{{ config(meta={'reads': ['ledger_entries']}) }}

-- depends_on: {{ ref('int_silver_input') }}
{{ checked_rows(
    staged=['stg_transaction_ledger'],
    target=stored_table('ledger_entries'),
    key=['tx_id', 'wallet_id'],
    content=['event_time', 'event_date_kst', 'entry_type', 'amount', 'amount_signed', 'related_id', 'created_at', 'rule_id'],
    first_wins=true,
    immutable=['amount', 'entry_type', 'related_id']
) }}
