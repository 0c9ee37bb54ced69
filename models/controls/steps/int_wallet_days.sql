with rolled as (

    select * from {{ ref('int_wallet_day_positions') }}

),

-- the boundary at the end of the day before opens the day
spans as (

    select
        rolled.*,
        previous.user_id is not null as has_opening_boundary,
        case when previous.user_id is not null then previous.closing_ts else rolled.first_ts end as opening_ts,
        case when previous.user_id is not null then previous.closing_balance else rolled.first_balance end as opening_balance,
        case when previous.user_id is not null then previous.closing_is_virtual else rolled.first_is_virtual end as opening_is_virtual,
        previous.roll_to_end as opening_roll_to_end
    from rolled
    left join rolled as previous
        on rolled.user_id = previous.user_id and rolled.n - 1 = previous.n and previous.closing_ts is not null

),

final as (

    select
        {{ from_day_number('n') }} as date_kst,
        user_id,
        opening_ts,
        cast(opening_balance as {{ money() }}) as opening_balance,
        closing_ts,
        cast(closing_balance as {{ money() }}) as closing_balance,
        has_opening_boundary,
        opening_is_virtual,
        has_snapshot,
        has_snapshot_of_day,
        entry_cnt,
        last_entry_ts,
        cast(net_flow_kst_day as {{ money() }}) as net_flow_kst_day,
        cast(
            case
                when not has_opening_boundary
                    then case when closing_ts = opening_ts then 0 else flow_after_first - roll_to_end end
                else opening_roll_to_end + net_flow_kst_day - roll_to_end
            end as {{ money() }}
        ) as net_flow_span,
        cast(closing_balance + roll_to_end as {{ money() }}) as balance_total,
        closing_ts is not null and end_us - {{ epoch_us('closing_ts') }} > tolerance_us as is_beyond_tolerance,
        end_us - {{ epoch_us('closing_ts') }} as closing_age_us,
        prev_ts as last_snapshot_ts,
        cast(prev_balance as {{ money() }}) as last_snapshot_balance,
        prev_is_virtual as last_snapshot_is_virtual,
        cast(flow_since_snapshot as {{ money() }}) as flow_since_snapshot,
        case when first_entry_ts < {{ from_epoch_us('end_us') }} then first_entry_ts end as first_entry_ts,
        case when first_snapshot_ts <= {{ from_epoch_us('end_us') }} then first_snapshot_ts end as first_snapshot_ts,
        n
    from spans
    where not is_base_day
        -- a new wallet is not there before its first entry, though its virtual snapshot may lie near the end of the day
        and not coalesce(closing_is_virtual and first_entry_ts >= {{ from_epoch_us('end_us') }}, false)

)

select * from final
