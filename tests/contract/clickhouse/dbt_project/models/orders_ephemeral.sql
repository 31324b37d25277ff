{{ config(materialized="ephemeral") }}
select customer_id, sum(amount_cents) as total_cents from {{ ref("orders_table") }} group by customer_id
