{{
    config(
        materialized="materialized_view",
        engine="MergeTree()",
        order_by="customer_id",
        refreshable={"interval": "EVERY 1 SECOND"},
    )
}}
select customer_id, sum(amount_cents) as total_cents
from {{ ref("orders_append") }}
group by customer_id
