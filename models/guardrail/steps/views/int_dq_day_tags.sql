{{ config(tags=['shared']) }}

with dq_status as (

    select * from {{ ref('dq_status') }}
    where window_kind = 'day'

),

newest as (

    select
        *,
        row_number() over (partition by source_table, window_start_ts order by evaluation desc) as age_rank
    from dq_status

),

final as (

    select
        date_kst,
        source_table,
        dq_tag,
        {{ tag_priority('dq_tag') }} as tag_priority
    from newest
    where age_rank = 1

)

select * from final
