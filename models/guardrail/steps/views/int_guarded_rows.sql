{%- set tile_us = read_value('select tile_us from ' ~ ref('int_guardrail_input'), 600000000) | int %}
{%- set sources = {
    'transaction_ledger': {'table': 'transaction_ledger_raw', 'key': ['tx_id', 'wallet_id']},
    'user_wallets': {'table': 'user_wallets_raw', 'key': ['user_id', "''"]},
    'payment_orders': {'table': 'payment_orders_raw', 'key': ['order_ref', "coalesce(status, '')"]},
} %}

with rows_of_sources as (
    {% for view, s in sources.items() %}
    select
        'bronze.{{ s.table }}' as source_table,
        row_time,
        source_time,
        recorded_time,
        {{ s.key[0] }} as key_1,
        {{ s.key[1] }} as key_2,
        version_ts,
        case when reason is not null then 1 else 0 end as is_bad,
        ingest_seq,
        batch_id,
        is_withdrawn
    from {{ ref('stg_' ~ view) }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}

),

final as (

    select
        *,
        {{ kst_day_start(kst_date('row_time')) }} as day_start,
        {{ from_epoch_us(whole_quotient(epoch_us('row_time'), tile_us) ~ ' * ' ~ tile_us) }} as tile_start
    from rows_of_sources

)

select * from final
