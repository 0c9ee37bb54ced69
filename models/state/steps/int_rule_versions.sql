{{- assert_rules_are_read() }}

with versions as (

    select * from {{ ref('int_rules_read') }}
    where fault is null

),

final as (

    select
        rule_id,
        domain,
        metric,
        scope,
        threshold,
        severity_map,
        allowed_values,
        {{ utc_instant('effective_start') }} as effective_start_ts,
        comment
    from versions

)

select * from final
