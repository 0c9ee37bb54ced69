{{ config(incremental_strategy='append_once', unique_key=['status_id']) }}

with measured as (

    select * from {{ ref('int_dq_window_figures') }}

),

strongest as (

    select source_table, window_kind, window_start_ts, dq_tag, severity, rule_id
    from (
        select
            *,
            row_number() over (partition by source_table, window_kind, window_start_ts order by tag_priority) as tag_rank
        from {{ ref('int_dq_findings') }}
    ) as ranked
    where tag_rank = 1

),

newest as (

    select *
    from (
        select
            *,
            row_number() over (partition by source_table, window_kind, window_start_ts order by evaluation desc) as age_rank
        from {{ this }}
    ) as ranked
    where age_rank = 1

),

evaluated as (

    select
        measured.source_table,
        measured.window_start_ts,
        measured.window_end_ts,
        measured.date_kst,
        measured.freshness_sec,
        measured.event_count,
        measured.dup_rate,
        measured.bad_records_rate,
        strongest.dq_tag,
        strongest.severity,
        {{ run_id() }} as run_id,
        strongest.rule_id,
        {{ as_of() }} as generated_at,
        measured.window_kind,
        measured.zero_windows,
        coalesce(newest.evaluation, 0) + 1 as evaluation,
        newest.status_id as predecessor_id,
        (newest.evaluation is null)
        or (measured.freshness_sec is distinct from newest.freshness_sec)
        or (measured.event_count is distinct from newest.event_count)
        or (measured.dup_rate is distinct from newest.dup_rate)
        or (measured.bad_records_rate is distinct from newest.bad_records_rate)
        or (measured.zero_windows is distinct from newest.zero_windows)
        or (strongest.dq_tag is distinct from newest.dq_tag)
        or (strongest.severity is distinct from newest.severity)
        or (strongest.rule_id is distinct from newest.rule_id) as differs
    from measured
    left join strongest
        on measured.source_table = strongest.source_table
        and measured.window_kind = strongest.window_kind
        and measured.window_start_ts = strongest.window_start_ts
    left join newest
        on measured.source_table = newest.source_table
        and measured.window_kind = newest.window_kind
        and measured.window_start_ts = newest.window_start_ts

),

final as (

    select
        source_table,
        window_start_ts,
        window_end_ts,
        date_kst,
        freshness_sec,
        event_count,
        dup_rate,
        bad_records_rate,
        dq_tag,
        severity,
        run_id,
        rule_id,
        generated_at,
        window_kind,
        zero_windows,
        evaluation,
        {{ row_id([
            'source_table', 'window_kind', 'window_start_ts', 'freshness_sec', 'event_count', 'dup_rate', 'bad_records_rate',
            'zero_windows', 'dq_tag', 'severity', 'rule_id', 'predecessor_id',
        ]) }} as status_id
    from evaluated
    where differs

)

select * from final
