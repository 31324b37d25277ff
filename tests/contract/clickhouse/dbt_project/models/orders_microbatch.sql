{{
    config(
        materialized="incremental",
        incremental_strategy="microbatch",
        event_time="ordered_at",
        begin="2026-01-01",
        batch_size="day",
        unique_key="id",
        order_by="id",
    )
}}
select id, customer_id, amount_cents, status, ordered_at
from {{ ref("orders_view") }}
