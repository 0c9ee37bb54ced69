{#- The last day that the rows of a source reach. A snapshot that only its arrival dates reaches none. -#}
{%- set last_days = {
    'stg_transaction_ledger': kst_date('max(source_time)'),
    'stg_user_wallets': day_closed_by('max(case when source_time <> ingested_at then source_time end)'),
    'stg_payment_orders': kst_date('max(source_time)'),
} %}
{%- set state = ref('pipeline_state') %}
{#- A withdrawal or reinstatement can move the first and the last row known; then the whole history is read again. -#}
{%- set consumed = read_row(
    'select coalesce(max(consumed_ingest_seq), 0) as from_seq,'
    ~ ' count(case when first_source_ts is not null and last_source_day is not null and coalesce(consumed_status_seq, 0)'
    ~ ' = (select coalesce(max(status_seq), 0) from ' ~ source('bronze', 'load_registry') ~ ') then 1 end) as known_cnt'
    ~ ' from ' ~ state ~ " where pipeline_name = 'pipeline_a'",
    {'from_seq': 0, 'known_cnt': 0}
) %}
{%- set from_seq, are_limits_known = consumed.from_seq | int, consumed.known_cnt > 0 %}

with state as (

    select * from {{ ref('pipeline_state') }}
    where pipeline_name = 'pipeline_a'

),

arrived as (

    {{ arrived() }}

),

-- tiles are aligned to the hour, so that they never straddle a KST day
tile_rule as (

    select cast(coalesce(max(threshold), 10) * 60000000 as bigint) as tile_us
    from {{ ref('int_rule_days') }} as rule_days
    where domain = 'dq' and metric = 'tile_minutes' and scope is null and {{ valid_on('rule_days', kst_date(as_of())) }}

),

rows_of_sources as (
    {% for view, last_day in last_days.items() %}
    select min(source_time) as first_source_ts, {{ last_day }} as last_source_day from {{ ref(view) }}
    where not is_withdrawn
        {%- if are_limits_known %}
        and ingest_seq > {{ from_seq }}
        {%- endif %}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
    {%- if are_limits_known %}
    union all
    select first_source_ts, last_source_day from state
    {%- endif %}

),

limits as (

    select min(first_source_ts) as first_source_ts, max(last_source_day) as last_source_day from rows_of_sources

),

final as (

    select
        coalesce(max(state.consumed_ingest_seq), 0) as from_seq,
        max(arrived.to_seq) as to_seq,
        coalesce(max(state.consumed_status_seq), 0) as from_status_seq,
        max(arrived.to_status_seq) as to_status_seq,
        max(limits.first_source_ts) as first_source_ts,
        max(limits.last_source_day) as last_source_day,
        max({{ kst_date('limits.first_source_ts') }}) as first_day,
        -- the last day that rows reach, and every day that a run has watched
        greatest(
            max(limits.last_source_day),
            max({{ kst_date("(state.last_processed_end - interval 1 day)") }})
            {%- if is_watching() %},
            {{ kst_date('(' ~ as_of() ~ ' - interval 1 day)') }}
            {%- endif %}
        ) as last_day,
        max({{ kst_date('state.first_source_ts') }}) as former_first_day,
        max(state.last_source_day) as former_last_day,
        max(tile_rule.tile_us) as tile_us,
        -- tiles from the watermark on, or the last complete one
        coalesce(
            {{ whole_quotient('max(' ~ epoch_us('state.last_processed_end') ~ ')', 'max(tile_rule.tile_us)') }},
            {{ whole_quotient(epoch_us(as_of()), 'max(tile_rule.tile_us)') }} - 1
        ) as first_tile,
        {{ whole_quotient(epoch_us(as_of()), 'max(tile_rule.tile_us)') }} - 1 as last_tile
    from arrived
    cross join tile_rule
    cross join limits
    left join state on true

)

select * from final
