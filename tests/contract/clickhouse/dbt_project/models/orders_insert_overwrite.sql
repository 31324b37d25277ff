{{ config(materialized="incremental", incremental_strategy="insert_overwrite", partition_by="toDate(ordered_at)", order_by="id") }}
select id, customer_id, amount_cents, status, ordered_at
from {{ ref("orders_view") }}
