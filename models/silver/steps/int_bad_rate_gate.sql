-- the gate is computed after the bad records are safe
-- depends_on: {{ ref('bad_records') }}

with counted as (
    {% for target in silver_targets() %}
    select
        'silver.{{ target }}' as source_table,
        count(*) as total_rows,
        count(reason) as bad_rows
    from {{ ref('int_' ~ target ~ '_checked') }}
    where is_pending
    {{ 'union all' if not loop.last }}
    {%- endfor %}

),

rules as (

    select * from {{ ref('int_rule_days') }} as rule_days
    where domain = 'silver' and {{ valid_on('rule_days', kst_date(as_of())) }}

),

checked as (

    select
        counted.source_table,
        counted.total_rows,
        counted.bad_rows,
        coalesce({{ ratio('counted.bad_rows', 'counted.total_rows') }}, 0) as bad_rate,
        case when scoped.rule_id is not null then {{ limit('scoped', 'fail') }} else {{ limit('general', 'fail') }} end as threshold,
        coalesce(scoped_rows.threshold, general_rows.threshold, 1) as min_rows,
        coalesce(scoped.rule_id, general.rule_id) as rule_id
    from counted
    left join rules as scoped on scoped.metric = 'bad_records_rate' and scoped.scope = counted.source_table
    left join rules as general on general.metric = 'bad_records_rate' and general.scope is null
    left join rules as scoped_rows on scoped_rows.metric = 'bad_records_min_rows' and scoped_rows.scope = counted.source_table
    left join rules as general_rows on general_rows.metric = 'bad_records_min_rows' and general_rows.scope is null

),

final as (

    select
        *,
        -- counts are compared, not the rounded rate: a rate equal to the threshold passes
        coalesce(total_rows >= min_rows and bad_rows > threshold * total_rows, false) as is_breached
    from checked

)

select * from final
