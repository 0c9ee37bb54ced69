{{ config(incremental_strategy='append') }}

with salt as (

    select * from {{ ref('int_pseudonym_salt') }}

),

final as (

    select
        salt.salt_version,
        salt.fingerprint,
        {{ as_of() }} as generated_at,
        {{ run_id() }} as run_id
    from salt
    where not exists (
        select 1 from {{ this }} as recorded
        where recorded.salt_version = salt.salt_version
    )

)

select * from final
