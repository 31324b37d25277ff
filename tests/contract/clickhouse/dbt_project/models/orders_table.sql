{{
    config(
        materialized="table",
        engine="MergeTree()",
        order_by="(customer_id, id)",
        partition_by="toYYYYMM(ordered_at)",
        settings={"index_granularity": 1024},
    )
}}
select id, customer_id, amount_cents, status, ordered_at, toDate(ordered_at) as ordered_date
from {{ ref("orders_view") }}
