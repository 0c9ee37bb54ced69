{#- The life of an exception: found, found again, resolved, never deleted. -#}

{#-
  Rows of gold.exception_ledger as they stand after a run. `found`: CTE with the exceptions the run finds (date_kst,
  domain, exception_type, severity, source_table, window_start_ts, window_end_ts, metric, metric_value, message,
  rule_id, subject, and `resolution` for those that are over already); `judged`: CTE with the exceptions standing in the ledger that the run judges anew, with their
  `resolution` should it not find them.
-#}
{% macro exceptions_after_run(found, judged) -%}
    identified as (

        select
            *,
            {{ row_id(['date_kst', 'domain', 'exception_type', 'source_table', 'window_start_ts', 'window_end_ts', 'metric', 'subject']) }} as exception_id
        from {{ found }}

    ),

    standing as (

        select * from {{ ref('exception_ledger') }}

    ),

    open_after_run as (

        select
            identified.date_kst,
            identified.domain,
            identified.exception_type,
            identified.severity,
            identified.source_table,
            identified.window_start_ts,
            identified.window_end_ts,
            identified.metric,
            cast(identified.metric_value as {{ rate() }}) as metric_value,
            identified.message,
            {{ run_id() }} as run_id,
            identified.rule_id,
            coalesce(standing.generated_at, {{ as_of() }}) as generated_at,
            identified.exception_id,
            identified.subject,
            {{ as_of() }} as updated_at,
            case when identified.resolution is not null then coalesce(standing.resolved_at, {{ as_of() }}) end as resolved_at,
            identified.resolution
        from identified
        left join standing on identified.exception_id = standing.exception_id

    ),

    resolved_by_run as (

        select
            standing.date_kst,
            standing.domain,
            standing.exception_type,
            standing.severity,
            standing.source_table,
            standing.window_start_ts,
            standing.window_end_ts,
            standing.metric,
            standing.metric_value,
            standing.message,
            {{ run_id() }} as run_id,
            standing.rule_id,
            standing.generated_at,
            standing.exception_id,
            standing.subject,
            {{ as_of() }} as updated_at,
            {{ as_of() }} as resolved_at,
            {{ judged }}.resolution
        from standing
        inner join {{ judged }} on standing.exception_id = {{ judged }}.exception_id
        where standing.resolved_at is null
            and standing.exception_id not in (select exception_id from identified)

    ),

    final as (

        select * from open_after_run
        union all
        select * from resolved_by_run

    )
{%- endmacro %}
