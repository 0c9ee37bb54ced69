{{ config(materialized='table') }}

with edits as (

    select * from {{ ref('rule_edits') }}
    where dbt_valid_to = cast('9999-12-31' as timestamp)

),

versions as (

    select
        rule_id,
        domain,
        metric,
        scope,
        threshold,
        {{ parse_json('severity_map', 'map<string,double>') }} as severity_map,
        {{ parse_json('allowed_values', 'array<string>') }} as allowed_values,
        comment,
        coalesce(effective_start_ts, cast('1970-01-01' as timestamp)) as effective_start_ts
    from edits

),

-- a later version of the same rule ends the earlier one
intervals as (

    select
        *,
        coalesce(
            lead(effective_start_ts) over (partition by domain, metric, scope order by effective_start_ts, rule_id),
            cast('9999-12-31' as timestamp)
        ) as effective_end_ts
    from versions

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
        comment,
        effective_start_ts,
        effective_end_ts,
        effective_end_ts = cast('9999-12-31' as timestamp) as is_current
    from intervals

)

select * from final
