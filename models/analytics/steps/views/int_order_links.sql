with orders as (

    select * from {{ ref('order_events') }}
    where order_source = 'PAYMENT_ORDERS'

),

link_rules as (

    select * from {{ ref('int_rule_days') }}
    where domain = 'analytics' and metric = 'order_link_pattern' and scope is null

),

linked as (

    select
        orders.order_ref,
        orders.event_date_kst as date_kst,
        case {{ list_first('link_rules.allowed_values') }}
            {%- for pattern in link_patterns() %}
            when {{ pattern }} then {{ regex_group('orders.order_ref', pattern) }}
            {%- endfor %}
            else {{ regex_group('orders.order_ref', list_first('link_rules.allowed_values')) }}
        end as linked_ref
    from orders
    inner join link_rules on {{ valid_on('link_rules', 'orders.event_date_kst') }}

),

final as (

    select
        order_ref,
        date_kst,
        {{ number_text('linked_ref') }} as commerce_order_ref
    from linked

)

select * from final
