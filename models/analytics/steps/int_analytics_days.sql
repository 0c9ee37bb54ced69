{{ config(
    pre_hook="{{ remove_obsolete_days('pipeline_c', 'int_analytics_days', ref('int_analytics_input')) }}",
    meta={'writes': ['pipeline_day']},
) }}

{%- set input = days_input(ref('int_analytics_input')) %}

with changes as (

    select * from {{ ref('change_log') }}
    where change_seq > {{ input.from_seq }}

),

computed as (

    select date_kst, inputs_digest, is_named from {{ ref('pipeline_day') }}
    where pipeline_name = 'pipeline_c'

),

requested as (

    {{ requested_days('pipeline_c', ref('int_analytics_input')) }}

),

-- commerce orders whose category can have changed: by a line, or by a product of a line
changed_items as (

    select old_ref as order_ref from changes where table_name = 'silver.order_items' and old_ref is not null
    union
    select new_ref as order_ref from changes where table_name = 'silver.order_items' and new_ref is not null
    union
    select items.order_ref
    from {{ ref('order_items') }} as items
    inner join changes on changes.table_name = 'silver.products' and changes.subject = cast(items.product_id as string)

),

altered_days as (

    select old_date_kst as date_kst from changes where table_name = 'silver.order_events' and row_key like 'PAYMENT_ORDERS|%'
    union
    select new_date_kst as date_kst from changes where table_name = 'silver.order_events' and row_key like 'PAYMENT_ORDERS|%'
    union
    select distinct links.date_kst
    from {{ ref('int_order_links') }} as links
    where links.date_kst <= {{ input.last_computed }}
        and links.commerce_order_ref in (select order_ref from changed_items)

),

known_days as (

    select date_kst from computed
    union
    select date_kst from requested

),

digests as (

    {{ analytics_inputs_digest('known_days') }}

),

final as (

    select
        known_days.date_kst,
        {{ kst_day_end('known_days.date_kst') }} as day_end,
        digests.inputs_digest,
        coalesce(computed.is_named, false) or coalesce(requested.is_unreached, false) as is_named,
        cast({{ input.to_seq }} as bigint) as to_seq
    from known_days
    inner join digests on known_days.date_kst = digests.date_kst
    left join computed on known_days.date_kst = computed.date_kst
    left join requested on known_days.date_kst = requested.date_kst
    left join altered_days on known_days.date_kst = altered_days.date_kst
    where requested.date_kst is not null
        or altered_days.date_kst is not null
        or computed.inputs_digest is distinct from digests.inputs_digest

)

select * from final
