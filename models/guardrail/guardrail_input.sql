{{ config(materialized='table') }}

with state as (

    select * from {{ ref('pipeline_state') }}
    where pipeline_name = 'pipeline_a'

),

arrived as (

    select
        coalesce(max(batch_seq), 0) * 4294967296 + 4294967295 as to_seq,
        coalesce(max(status_seq), 0) as to_status_seq
    from {{ source('bronze', 'load_registry') }}

),

-- tiles are aligned to the hour, so that they never straddle a KST day
tile_rule as (

    select cast(coalesce(max(threshold), 10) * 60000000 as bigint) as tile_us
    from {{ ref('rule_days') }} as rule_days
    where domain = 'dq' and metric = 'tile_minutes' and scope is null and {{ valid_on('rule_days', kst_date(as_of())) }}

),

final as (

    select
        coalesce(max(state.consumed_ingest_seq), 0) as from_seq,
        max(arrived.to_seq) as to_seq,
        coalesce(max(state.consumed_status_seq), 0) as from_status_seq,
        max(arrived.to_status_seq) as to_status_seq,
        max(tile_rule.tile_us) as tile_us,
        -- tiles from the watermark on, or the last complete one
        coalesce(
            max({{ epoch_us('state.last_processed_end') }}) // max(tile_rule.tile_us),
            {{ epoch_us(as_of()) }} // max(tile_rule.tile_us) - 1
        ) as first_tile,
        {{ epoch_us(as_of()) }} // max(tile_rule.tile_us) - 1 as last_tile
    from arrived
    cross join tile_rule
    left join state on true

)

select * from final
