{#- Bronze tables, and the rule on values that their lines are checked by. -#}
{%- set tables = {
    'user_wallets_raw': 'bad_records_rate',
    'transaction_ledger_raw': 'entry_type_allowed',
    'payment_orders_raw': 'payment_status_allowed',
    'orders_raw': 'payment_status_allowed',
    'order_items_raw': none,
    'products_raw': none,
} %}

with tables as (
    {% for table, metric in tables.items() %}
    select 'bronze.{{ table }}' as bronze_table, {{ text_literal(metric) if metric else 'cast(null as string)' }} as value_metric
    {{ 'union all' if not loop.last }}
    {%- endfor %}

),

rules as (

    select * from {{ ref('int_rule_days') }}
    where domain = 'silver'

),

-- days on which the rules change; between two of them they are the same
starts as (

    select valid_from_day as day from rules
    union
    select valid_to_day as day from rules where valid_to_day < date '9999-12-31'

),

spans as (

    select
        day as valid_from_day,
        coalesce(lead(day) over (order by day), date '9999-12-31') as valid_to_day
    from starts

),

metrics as (

    select distinct metric from rules

),

asked as (

    select
        tables.bronze_table,
        tables.value_metric,
        spans.valid_from_day as date_kst,
        spans.valid_to_day,
        metrics.metric
    from tables
    cross join spans
    cross join metrics

),

ruled as (

    {{ rule_on_days('asked', 'silver', scope='bronze_table') }}

),

final as (

    select
        bronze_table,
        date_kst as valid_from_day,
        valid_to_day,
        max(case when metric = value_metric then rule_id end) as rule_id,
        max(case when metric = value_metric then allowed_values end) as allowed_values,
        -- no instant is accepted for which no rule holds
        greatest(
            max(case when metric = 'earliest_instant' then {{ utc_instant(list_first('allowed_values')) }} end),
            (select min({{ kst_day_start('spans.valid_from_day') }}) from spans)
        ) as earliest_instant,
        max(case when metric = 'currency_allowed' then allowed_values end) as currencies,
        max(case when metric = 'overdraft_allowed' then {{ any_of_patterns('allowed_values') }} end) as overdraft_pattern
    from ruled
    group by bronze_table, date_kst, valid_to_day

)

select * from final
