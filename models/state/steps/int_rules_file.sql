{{ config(materialized='view') }}

select {{ seed_path('rules') }} as path
