{{ config(materialized="view") }}
select id, customer_id, amount_cents, status, ordered_at
from {{ ref("orders") }}
where batch = {{ var("batch") }}
