{{ config(enabled=var('market_price', false), meta={'reads': ['fact_market_price']}) }}

{#- What the fact reflects already; it only grows, so that older quotes are skipped unread. -#}
{%- set fact = stored_table('fact_market_price') %}
{%- set from_seq = read_value('select max(last_ingest_seq) from ' ~ fact, 0) %}
{%- set from_status_seq = read_value('select max(last_status_seq) from ' ~ fact, 0) %}

with moved_batches as (

    select batch_id from {{ source('bronze', 'load_registry') }}
    where status_seq > {{ from_status_seq }}

),

-- days with a quote that came, left or came back since
final as (

    select distinct date_kst from {{ ref('stg_market_price') }}
    where reason is null
        and (ingest_seq > {{ from_seq }} or batch_id in (select batch_id from moved_batches))

)

select * from final
