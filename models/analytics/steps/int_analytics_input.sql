{{ config(meta={'reads': ['fact_payment_anonymized'], 'steers': true}) }}

-- depends_on: {{ ref('int_silver_completed_run') }}
{%- set changes = changes_to_consume('pipeline_c') %}
{#- payments only leave a day that rows have left, so that the days of the fact are read in that case only #}
{%- set written -%}
    select facts.date_kst
    from {{ stored_table('fact_payment_anonymized') }} as facts
    inner join rows_left on rows_left.first_day is not null
{%- endset %}

with {{ days_of_lake('pipeline_c', changes.from_seq, written) }},

final as (

    select
        cast({{ changes.from_seq }} as bigint) as from_seq,
        cast({{ changes.to_seq }} as bigint) as to_seq,
        lake_days.*
    from lake_days

)

select * from final
