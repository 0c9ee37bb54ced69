with state as (

    select * from {{ ref('pipeline_state') }}
    where pipeline_name = 'pipeline_silver'

),

arrived as (

    {{ arrived() }}

),

row_rules as (

    {{ row_rules_digest() }}

),

previous as (

    select
        coalesce(max(consumed_ingest_seq), 0) as from_seq,
        coalesce(max(consumed_status_seq), 0) as from_status_seq,
        max(rules_digest) as rules_digest
    from state

),

final as (

    select
        previous.from_seq,
        arrived.to_seq,
        previous.from_status_seq,
        arrived.to_status_seq,
        row_rules.rules_digest,
        coalesce(previous.rules_digest <> row_rules.rules_digest, false) as replays_all,
        coalesce(previous.rules_digest <> row_rules.rules_digest, false)
        or arrived.to_status_seq > previous.from_status_seq as replays
    from previous
    cross join arrived
    cross join row_rules

)

select * from final
