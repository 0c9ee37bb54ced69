{{ config(materialized='incremental', incremental_strategy='append') }}

{{ declared_table() }}
