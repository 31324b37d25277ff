{{ config(materialized="incremental", incremental_strategy="append", order_by="id") }}
select id, customer_id, amount_cents, status, ordered_at
from {{ ref("orders_view") }}
