{{ config(materialized="table", order_by="id") }}
select id, toUInt64(amount_cents) as amount_cents from {{ ref("orders_table") }}
