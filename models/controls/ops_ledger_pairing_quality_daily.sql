{{ config(
    incremental_strategy='merge_scoped',
    unique_key=['date_kst'],
    meta={'scope': {'ref': 'int_controls_days', 'when': 'entries_due', 'on': ['date_kst']}},
) }}

with days as (

    select * from {{ ref('int_controls_days') }}
    where entries_due

),

entries as (

    select
        entries.event_date_kst as date_kst,
        entries.entry_type,
        entries.related_id,
        entries.related_type,
        entries.paired_tx_id
    from {{ ref('admin_tx_search') }} as entries
    inner join days on entries.event_date_kst = days.date_kst

),

counted as (

    select
        days.date_kst,
        count(entries.date_kst) as entry_cnt,
        count(entries.date_kst) - count(entries.related_id) as related_id_null_cnt
    from days
    left join entries on days.date_kst = entries.date_kst
    group by days.date_kst

),

-- what entries of a pairable type belong to, once a day; a group is the entries of that day
groups as (

    select
        entries.date_kst,
        entries.related_id,
        bool_and(entries.paired_tx_id is not null) as is_paired,
        bool_or(entries.related_type is not null) as is_ordered
    from entries
    inner join {{ ref('entry_types') }} as types on entries.entry_type = types.entry_type and types.pair_with is not null
    where entries.related_id is not null
    group by entries.date_kst, entries.related_id

),

group_counts as (

    select
        date_kst,
        count(*) as group_cnt,
        count(case when is_paired then 1 end) as paired_cnt,
        count(case when is_ordered then 1 end) as ordered_cnt
    from groups
    group by date_kst

),

final as (

    select
        counted.date_kst,
        counted.entry_cnt,
        coalesce({{ ratio('counted.related_id_null_cnt', 'counted.entry_cnt') }}, 0) as related_id_null_rate,
        coalesce({{ ratio('group_counts.paired_cnt', 'group_counts.group_cnt') }}, 0) as pair_candidate_rate,
        coalesce({{ ratio('group_counts.ordered_cnt', 'group_counts.group_cnt') }}, 0) as join_payment_orders_rate,
        {{ run_id() }} as run_id,
        cast(null as string) as rule_id
    from counted
    left join group_counts on counted.date_kst = group_counts.date_kst

)

select * from final
