{{ config(
    incremental_strategy='merge_scoped',
    unique_key=['date_kst', 'symbol'],
    enabled=var('market_price', false),
    meta={'scope': {'ref': 'int_market_price_days', 'when': '1 = 1', 'on': ['date_kst']}},
) }}

with quotes as (

    select quotes.*
    from {{ ref('stg_market_price') }} as quotes
    inner join {{ ref('int_market_price_days') }} as days on quotes.date_kst = days.date_kst
    where quotes.reason is null

),

batches as (

    select batch_id, status_seq from {{ source('bronze', 'load_registry') }}

),

-- withdrawn quotes give no price, but the day remembers that it has seen them
seen as (

    select
        quotes.date_kst,
        quotes.symbol,
        max(quotes.ingest_seq) as last_ingest_seq,
        coalesce(max(batches.status_seq), 0) as last_status_seq
    from quotes
    left join batches on quotes.batch_id = batches.batch_id
    group by quotes.date_kst, quotes.symbol

),

ranked as (

    select
        *,
        row_number() over (partition by date_kst, symbol order by quoted_at desc, ingest_seq desc) as quote_rank
    from quotes
    where not is_withdrawn

),

daily as (

    select
        date_kst,
        symbol,
        max(case when quote_rank = 1 then currency end) as currency,
        max(case when quote_rank = 1 then price end) as close_price,
        max(price) as high_price,
        min(price) as low_price,
        count(*) as quote_cnt,
        max(quoted_at) as last_quoted_at
    from ranked
    group by date_kst, symbol

),

final as (

    select
        daily.date_kst,
        daily.symbol,
        daily.currency,
        daily.close_price,
        daily.high_price,
        daily.low_price,
        daily.quote_cnt,
        daily.last_quoted_at,
        {{ run_id() }} as run_id,
        seen.last_ingest_seq,
        seen.last_status_seq
    from daily
    inner join seen on daily.date_kst = seen.date_kst and daily.symbol = seen.symbol

)

select * from final
