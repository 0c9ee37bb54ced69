{{ config(tags=['shared']) }}
-- The sides of a transfer name each other and have opposite roles; otherwise pairs would be looked for on one side only.
with entry_types as (

    select * from {{ ref('entry_types') }}

),

final as (

    select entry_types.*
    from entry_types
    left join entry_types as counterpart
        on entry_types.pair_with = counterpart.entry_type
        and counterpart.pair_with = entry_types.entry_type
        and counterpart.pair_role <> entry_types.pair_role
    where entry_types.pair_with is not null and counterpart.entry_type is null

)

select * from final
