with rules as (

    select * from {{ ref('dim_rule_scd2') }}

),

-- the version valid at the start of a KST day applies to the day
final as (

    select
        rule_id,
        domain,
        metric,
        scope,
        threshold,
        severity_map,
        allowed_values,
        {{ kst_date("effective_start_ts + interval 1 day - interval 1 microsecond") }} as valid_from_day,
        case
            when is_current then date '9999-12-31'
            else {{ kst_date("effective_end_ts + interval 1 day - interval 1 microsecond") }}
        end as valid_to_day,
        {{ row_id([
            'rule_id', 'domain', 'metric', 'scope', 'cast(threshold as decimal(38,9))',
            'cast(' ~ map_value('severity_map', 'warn') ~ ' as decimal(38,9))',
            'cast(' ~ map_value('severity_map', 'crit') ~ ' as decimal(38,9))',
            'cast(' ~ map_value('severity_map', 'fail') ~ ' as decimal(38,9))',
            list_text('allowed_values'),
        ]) }} as rule_digest
    from rules

)

select * from final
where valid_from_day < valid_to_day
