with final as (

    {{ requested_days('pipeline_b', ref('int_controls_input')) }}

)

select * from final
