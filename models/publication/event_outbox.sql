{{ config(materialized='incremental', incremental_strategy='append', tags=['shared']) }}

{{ declared_table() }}
