{#- Data quality tags, the first of several decides: 1 is the strongest; NULL for no tag. -#}
{% macro tag_priority(tag) -%}
    case {{ tag }}
        when 'SOURCE_STALE' then 1
        when 'DUP_SUSPECTED' then 2
        when 'EVENT_DROP_SUSPECTED' then 3
        when 'CONTRACT_VIOLATION' then 4
    end
{%- endmacro %}

{#-
  Soft gate of a control that reads ledger and wallets, one row per tagged day: the first tag by priority, and whether
  the threshold verdict of the day is suppressed (any of its day rows is SOURCE_STALE or EVENT_DROP_SUSPECTED).
-#}
{% macro soft_gate() -%}
    select
        date_kst,
        min_by(dq_tag, tag_priority) as dq_tag,
        bool_or(dq_tag in ('SOURCE_STALE', 'EVENT_DROP_SUSPECTED')) as is_suppressed
    from {{ ref('int_dq_day_tags') }}
    where dq_tag is not null and source_table in ('bronze.transaction_ledger_raw', 'bronze.user_wallets_raw')
    group by date_kst
{%- endmacro %}
