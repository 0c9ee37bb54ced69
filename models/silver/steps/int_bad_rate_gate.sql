-- the gate is computed after the bad records are safe
-- depends_on: {{ ref('bad_records') }}

with counted as (
    {% for target in silver_targets() %}
    select
        'silver.{{ target }}' as source_table,
        {{ kst_date(as_of()) }} as date_kst,
        count(*) as total_rows,
        count(reason) as bad_rows
    from {{ ref('int_' ~ target ~ '_checked') }}
    where is_pending
    {{ 'union all' if not loop.last }}
    {%- endfor %}

),

rate_rule as (

    {{ rule_on_days('counted', 'silver', 'bad_records_rate', scope='source_table') }}

),

rows_rule as (

    {{ rule_on_days('counted', 'silver', 'bad_records_min_rows', scope='source_table') }}

),

checked as (

    select
        rate_rule.source_table,
        rate_rule.total_rows,
        rate_rule.bad_rows,
        coalesce({{ ratio('rate_rule.bad_rows', 'rate_rule.total_rows') }}, 0) as bad_rate,
        rate_rule.fail as threshold,
        coalesce(rows_rule.threshold, 1) as min_rows,
        rate_rule.rule_id
    from rate_rule
    inner join rows_rule on rate_rule.source_table = rows_rule.source_table

),

final as (

    select
        *,
        -- counts are compared, not the rounded rate: a rate equal to the threshold passes
        coalesce(total_rows >= min_rows and bad_rows > threshold * total_rows, false) as is_breached
    from checked

)

select * from final
