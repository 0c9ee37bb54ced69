{{ config(meta={'reads': ['wallet_snapshot']}) }}

-- depends_on: {{ ref('int_silver_input') }}
{{ checked_rows(
    staged=['stg_user_wallets'],
    target=stored_table('wallet_snapshot'),
    key=['snapshot_ts', 'user_id'],
    content=['snapshot_date_kst', 'balance_available', 'balance_frozen', 'balance_total', 'source_updated_at', 'rule_id']
) }}
