{{ config(meta={'reads': ['wallet_balance_daily']}) }}

{%- set span = wallet_range() %}

with final as (

    select
        user_id,
        last_snapshot_ts,
        last_snapshot_balance,
        last_snapshot_is_virtual,
        flow_since_snapshot,
        first_entry_ts,
        first_snapshot_ts
    {% if span.base_day -%}
    from {{ stored_table('wallet_balance_daily') }}
    where date_kst = {{ span.base }}
    {%- else -%}
    from (
        {{ wallets_from_scratch(span.base_end) }}
    ) as scratch
    {%- endif %}

)

select * from final
