{{ config(
    post_hook="{{ merge_this_into('exception_ledger', ['exception_id']) }}",
    meta={'writes': ['exception_ledger']},
) }}

with windows as (

    select * from {{ ref('int_dq_windows') }}

),

findings as (

    select * from {{ ref('int_dq_findings') }}

),

evaluated as (

    select
        source_table,
        window_kind,
        window_start_ts,
        max_by(coalesce(dq_tag, ''), evaluation) as dq_tag
    from {{ ref('dq_status') }}
    group by source_table, window_kind, window_start_ts

),

-- latest tile of each source that nothing is wrong with
clean_tiles as (

    select source_table, max(window_start_ts) as window_start_ts
    from evaluated
    where window_kind = 'tile' and dq_tag = ''
    group by source_table

),

day_rows as (

    select source_table, window_start_ts from evaluated
    where window_kind = 'day'

),

ledger as (

    select
        *,
        -- a tile is shorter than a day
        {{ epoch_us('window_end_ts') }} - {{ epoch_us('window_start_ts') }} >= 86400000000 as is_of_day
    from {{ ref('exception_ledger') }}
    where domain = 'dq'

),

found as (

    select
        findings.date_kst,
        'dq' as domain,
        findings.dq_tag as exception_type,
        findings.severity,
        findings.source_table,
        findings.window_start_ts,
        findings.window_end_ts,
        findings.metric,
        findings.metric_value,
        concat('{"metric": "', findings.metric, '", "value": ', cast(findings.metric_value as string), '}') as message,
        findings.rule_id,
        cast(null as string) as subject,
        case when clean_tiles.source_table is not null then 'CLEARED' end as resolution
    from findings
    left join clean_tiles
        on findings.window_kind = 'tile'
        and findings.source_table = clean_tiles.source_table
        and findings.window_start_ts < clean_tiles.window_start_ts

),

reviewed as (

    select ledger.exception_id, 'CLEARED' as resolution
    from ledger
    left join windows
        on ledger.source_table = windows.source_table
        and ledger.window_start_ts = windows.window_start_ts
        and ledger.window_end_ts = windows.window_end_ts
    left join clean_tiles
        on ledger.source_table = clean_tiles.source_table
        and ledger.window_start_ts < clean_tiles.window_start_ts
        and not ledger.is_of_day
    -- without a day row the day is obsolete, and so are its exceptions
    left join day_rows
        on ledger.source_table = day_rows.source_table
        and ledger.window_start_ts = day_rows.window_start_ts
    where windows.source_table is not null
        or clean_tiles.source_table is not null
        or (ledger.is_of_day and day_rows.source_table is null)

),

{{ exceptions_after_run('found', 'reviewed') }}

select * from final
