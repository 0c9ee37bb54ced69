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
