{#- Which KST days a run computes. -#}

{#- First and last KST day that rows of Silver reach, NULL without rows; a wallet snapshot reaches the day that it closes. -#}
{% macro silver_day_range() -%}
    select min(first_day) as first_day, max(last_day) as last_day
    from (
        select min(event_date_kst) as first_day, max(event_date_kst) as last_day from {{ ref('ledger_entries') }}
        union all
        select min(event_date_kst) as first_day, max(event_date_kst) as last_day from {{ ref('order_events') }}
        union all
        select min(snapshot_date_kst) as first_day, {{ day_closed_by('max(snapshot_ts)') }} as last_day
        from {{ ref('wallet_snapshot') }}
    ) as silver_days
{%- endmacro %}

{#-
  Days asked for: those the run names, else every closed KST day from the first to the last that rows of Silver reach,
  gaps included, that the pipeline has not done. `is_unreached`: the day is named although no row reaches it. Named days
  that rows have left since `from_seq` are not among them: the run is about to remove them.
-#}
{% macro requested_days(pipeline, from_seq) -%}
    {%- if days_are_named() -%}
    select numbers.date_kst, not {{ is_within('numbers.date_kst', 'reached') }} as is_unreached
    from (
        select {{ from_day_number('n') }} as date_kst
        from (select {{ explode_range(day_number(named_from()), day_number(named_to())) }} as n) as days
    ) as numbers
    cross join (
        {{ silver_day_range() }}
    ) as reached
    cross join (
        {{ left_day_range(from_seq) }}
    ) as rows_left
    where {{ is_within('numbers.date_kst', 'reached') }}
        or not coalesce(
            numbers.date_kst >= least(reached.first_day, rows_left.first_day)
            and numbers.date_kst <= greatest(reached.last_day, rows_left.last_day), false
        )
    {%- else -%}
    select {{ from_day_number('n') }} as date_kst, false as is_unreached
    from (
        select {{ explode_range('first_day', 'last_day') }} as n
        from (
            select
                {{ day_number('first_day') }} as first_day,
                least({{ day_number('last_day') }}, {{ day_number(kst_date(as_of())) }} - 1) as last_day
            from (
                {{ silver_day_range() }}
            ) as reached
            where first_day is not null
        ) as bounds
    ) as numbers
    where {{ from_day_number('n') }} not in (
        select done.date_kst from {{ ref('pipeline_day') }} as done where done.pipeline_name = '{{ pipeline }}'
    )
    {%- endif -%}
{%- endmacro %}

{#- Digest of everything besides Silver rows that a day's controls are checked by: rules of the day, signs, tags. -#}
{% macro controls_inputs_digest(days) -%}
    select
        days.date_kst,
        {{ sha256_hex("concat(coalesce(rules.digest, ''), '#', coalesce(types.digest, ''), '#', coalesce(tags.digest, ''))") }} as inputs_digest
    from {{ days }} as days
    left join (
        select d.date_kst, {{ concat_sorted('rule.rule_digest') }} as digest
        from {{ days }} as d
        inner join {{ ref('int_rule_days') }} as rule on rule.domain = 'ledger'
            -- the tolerance of the next day applies to the boundary at the day's end
            and {{ day_number('rule.valid_from_day') }}
                <= {{ day_number('d.date_kst') }} + case rule.metric when 'snapshot_tolerance_hours' then 1 else 0 end
            and d.date_kst < rule.valid_to_day
        group by d.date_kst
    ) as rules on days.date_kst = rules.date_kst
    left join (
        select date_kst, {{ concat_sorted("concat(source_table, dq_tag)") }} as digest
        from {{ ref('int_dq_day_tags') }}
        where dq_tag is not null and source_table in ('bronze.transaction_ledger_raw', 'bronze.user_wallets_raw')
        group by date_kst
    ) as tags on days.date_kst = tags.date_kst
    cross join (
        select {{ concat_sorted("concat(entry_type, ':', cast(sign as string), ':', cast(supply_sign as string), ':', coalesce(pair_with, ''))") }} as digest
        from {{ ref('entry_types') }}
    ) as types
{%- endmacro %}

{#- Digest of the data quality rules that a day is checked by. -#}
{% macro guardrail_inputs_digest(days) -%}
    select
        days.date_kst,
        coalesce({{ concat_sorted('rule.rule_digest') }}, '') as inputs_digest
    from {{ days }} as days
    left join {{ ref('int_rule_days') }} as rule
        on (rule.domain = 'dq' or (rule.domain = 'silver' and rule.metric in ({{ row_rule_metrics() }})))
        and {{ valid_on('rule', 'days.date_kst') }}
    group by days.date_kst
{%- endmacro %}
