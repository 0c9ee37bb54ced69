{#- The life of an exception: found, found again, resolved, never deleted. -#}

{#-
  Rows of gold.exception_ledger as they stand after a run. `found`: CTE with the exceptions the run finds (date_kst,
  domain, exception_type, severity, source_table, window_start_ts, window_end_ts, metric, metric_value, message,
  rule_id, subject, and `resolution` for those that are over already); `reviewed`: CTE with the exceptions stored in the ledger that the run checks again, with their
  `resolution` should it not find them.
-#}
{% macro exceptions_after_run(found, reviewed) -%}
    identified as (

        select
            *,
            {{ row_id(['date_kst', 'domain', 'exception_type', 'source_table', 'window_start_ts', 'window_end_ts', 'metric', 'subject']) }} as exception_id
        from {{ found }}

    ),

    stored as (

        select * from {{ ref('exception_ledger') }}

    ),

    found_by_run as (

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
            coalesce(stored.generated_at, {{ as_of() }}) as generated_at,
            identified.exception_id,
            identified.subject,
            {{ as_of() }} as updated_at,
            case when identified.resolution is not null then coalesce(stored.resolved_at, {{ as_of() }}) end as resolved_at,
            identified.resolution
        from identified
        left join stored on identified.exception_id = stored.exception_id

    ),

    resolved_by_run as (

        select
            stored.date_kst,
            stored.domain,
            stored.exception_type,
            stored.severity,
            stored.source_table,
            stored.window_start_ts,
            stored.window_end_ts,
            stored.metric,
            stored.metric_value,
            stored.message,
            {{ run_id() }} as run_id,
            stored.rule_id,
            stored.generated_at,
            stored.exception_id,
            stored.subject,
            {{ as_of() }} as updated_at,
            {{ as_of() }} as resolved_at,
            {{ reviewed }}.resolution
        from stored
        inner join {{ reviewed }} on stored.exception_id = {{ reviewed }}.exception_id
        where stored.resolved_at is null
            and stored.exception_id not in (select exception_id from identified)

    ),

    final as (

        select * from found_by_run
        union all
        select * from resolved_by_run

    )
{%- endmacro %}
