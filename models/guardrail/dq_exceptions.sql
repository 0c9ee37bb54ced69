{{ config(materialized='table', post_hook="{{ merge_this_into('exception_ledger', ['exception_id']) }}") }}

with windows as (

    select * from {{ ref('dq_windows') }}

),

findings as (

    select * from {{ ref('dq_findings') }}

),

-- latest tile of each source in this run that nothing is wrong with
clean_tiles as (

    select windows.source_table, max(windows.window_start_ts) as window_start_ts
    from windows
    left join findings
        on windows.source_table = findings.source_table
        and windows.window_kind = findings.window_kind
        and windows.window_start_ts = findings.window_start_ts
    where windows.window_kind = 'tile' and findings.source_table is null
    group by windows.source_table

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

judged as (

    select ledger.exception_id, 'CLEARED' as resolution
    from {{ ref('exception_ledger') }} as ledger
    left join windows
        on ledger.source_table = windows.source_table
        and ledger.window_start_ts = windows.window_start_ts
        and ledger.window_end_ts = windows.window_end_ts
    left join clean_tiles
        on ledger.source_table = clean_tiles.source_table
        and ledger.window_start_ts < clean_tiles.window_start_ts
        -- a day row is no tile
        and {{ epoch_us('ledger.window_end_ts') }} - {{ epoch_us('ledger.window_start_ts') }} < 86400000000
    where ledger.domain = 'dq' and (windows.source_table is not null or clean_tiles.source_table is not null)

),

{{ exceptions_after_run('found', 'judged') }}

select * from final
