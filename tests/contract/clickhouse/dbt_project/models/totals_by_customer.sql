{{ config(materialized="materialized_view", engine="SummingMergeTree()", order_by="customer_id") }}
select customer_id, count() as orders, sum(amount_cents) as total_cents
from {{ ref("orders_append") }}
group by customer_id
