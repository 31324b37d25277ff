{{ config(materialized="table", order_by="customer_id") }}
select customer_id, total_cents from {{ ref("orders_ephemeral") }}
