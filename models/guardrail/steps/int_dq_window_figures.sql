with windows as (

    select * from {{ ref('int_dq_windows') }}

),

metrics as (

    select * from {{ ref('int_dq_window_metrics') }}

),

-- newest source time before the end of each window, over all rows known
newest as (

    select
        windows.source_table,
        windows.window_kind,
        windows.window_start_ts,
        max(metrics.newest_source_ts) as newest_source_ts
    from windows
    inner join metrics
        on windows.source_table = metrics.source_table
        and (
            (metrics.window_kind = 'seen_day' and windows.window_kind = 'day' and metrics.window_start_ts < windows.window_end_ts)
            or (metrics.window_kind = 'seen_day' and windows.window_kind = 'tile'
                and metrics.window_start_ts < {{ kst_day_start('windows.date_kst') }})
            or (metrics.window_kind = 'seen_tile' and windows.window_kind = 'tile' and metrics.window_start_ts <= windows.window_start_ts)
        )
    group by windows.source_table, windows.window_kind, windows.window_start_ts

),

measured as (

    select
        windows.source_table,
        windows.window_kind,
        windows.window_start_ts,
        windows.window_end_ts,
        windows.date_kst,
        coalesce(metrics.event_count, 0) as event_count,
        coalesce({{ ratio('(metrics.usable_count - metrics.distinct_count)', 'metrics.usable_count') }}, 0) as dup_rate,
        coalesce({{ ratio('metrics.bad_count', 'metrics.event_count') }}, 0) as bad_records_rate,
        cast(
            {{ whole_quotient('(' ~ epoch_us('least(' ~ as_of() ~ ', windows.window_end_ts)') ~ ' - ' ~ epoch_us('newest.newest_source_ts') ~ ')', 1000000) }} as bigint
        ) as freshness_sec,
        cast(
            {{ whole_quotient(
                '(' ~ epoch_us('windows.window_end_ts') ~ ' - coalesce(' ~ epoch_us('newest.newest_source_ts') ~ ', '
                ~ epoch_us('windows.window_start_ts') ~ '))',
                '(' ~ epoch_us('windows.window_end_ts') ~ ' - ' ~ epoch_us('windows.window_start_ts') ~ ')'
            ) }} as bigint
        ) as zero_windows
    from windows
    left join metrics
        on windows.source_table = metrics.source_table
        and windows.window_kind = metrics.window_kind
        and windows.window_start_ts = metrics.window_start_ts
    left join newest
        on windows.source_table = newest.source_table
        and windows.window_kind = newest.window_kind
        and windows.window_start_ts = newest.window_start_ts

)

select * from measured
