{{ config(
    pre_hook="{{ remove_obsolete_days('pipeline_b', 'int_controls_days', ref('int_controls_input')) }}",
    meta={'writes': ['pipeline_day']},
) }}

{%- set input = days_input(ref('int_controls_input')) %}

with entry_changes as (

    select subject, old_date_kst, new_date_kst, old_ref, new_ref from {{ ref('change_log') }}
    where change_seq > {{ input.from_seq }} and table_name = 'silver.ledger_entries'

),

payment_order_changes as (

    select subject as order_ref, old_date_kst, new_date_kst from {{ ref('change_log') }}
    where change_seq > {{ input.from_seq }} and table_name = 'silver.order_events' and row_key like 'PAYMENT_ORDERS|%'

),

computed as (

    select date_kst, inputs_digest, is_named from {{ ref('pipeline_day') }}
    where pipeline_name = 'pipeline_b'

),

requested as (

    select * from {{ ref('int_controls_requested_days') }}

),

altered as (

    select * from {{ ref('int_altered_day_ranges') }}

),

-- entries whose own row or pair a change can alter
touched_refs as (

    select old_ref as related_id from entry_changes where old_ref is not null
    union
    select new_ref as related_id from entry_changes where new_ref is not null
    union
    select order_ref as related_id from payment_order_changes

),

entry_days as (

    select distinct event_date_kst as date_kst from {{ ref('ledger_entries') }}
    where related_id in (select related_id from touched_refs){{ ' and 1 = 0' if not input.has_computed }}
    union
    select old_date_kst as date_kst from entry_changes
    union
    select new_date_kst as date_kst from entry_changes

),

payment_days as (

    select old_date_kst as date_kst from payment_order_changes
    union
    select new_date_kst as date_kst from payment_order_changes

),

known_days as (

    select date_kst from computed
    union
    select date_kst from requested

),

digests as (

    {{ controls_inputs_digest('known_days') }}

),

outdated as (

    select computed.date_kst
    from computed
    inner join digests on computed.date_kst = digests.date_kst
    where computed.inputs_digest is distinct from digests.inputs_digest

),

altered_days as (

    select distinct known_days.date_kst
    from known_days
    inner join altered on known_days.date_kst between altered.first_day and altered.last_day

),

flagged as (

    select
        known_days.date_kst,
        digests.inputs_digest,
        requested.date_kst is not null as is_requested,
        coalesce(computed.is_named, false) or coalesce(requested.is_unreached, false) as is_named,
        (requested.date_kst is not null or outdated.date_kst is not null) as is_whole,
        altered_days.date_kst is not null as is_altered,
        known_days.date_kst >= least(
            coalesce((select min(altered.first_day) from altered), date '9999-12-31'),
            coalesce((select min(again.date_kst) from outdated as again), date '9999-12-31')
        ) as is_after_alteration,
        entry_days.date_kst is not null as has_entries,
        payment_days.date_kst is not null as has_payments
    from known_days
    inner join digests on known_days.date_kst = digests.date_kst
    left join requested on known_days.date_kst = requested.date_kst
    left join computed on known_days.date_kst = computed.date_kst
    left join outdated on known_days.date_kst = outdated.date_kst
    left join altered_days on known_days.date_kst = altered_days.date_kst
    left join entry_days on known_days.date_kst = entry_days.date_kst
    left join payment_days on known_days.date_kst = payment_days.date_kst

),

final as (

    select
        date_kst,
        {{ kst_day_start('date_kst') }} as day_start,
        {{ kst_day_end('date_kst') }} as day_end,
        {{ day_number('date_kst') }} as day_number,
        is_requested,
        is_named,
        is_whole or is_altered as recon_due,
        is_whole or is_after_alteration as supply_due,
        is_whole or has_entries as entries_due,
        is_whole or has_payments as payments_due,
        inputs_digest,
        cast({{ input.to_seq }} as bigint) as to_seq
    from flagged

)

select * from final
where recon_due or supply_due or entries_due or payments_due
