{{
    config(
        materialized="incremental",
        incremental_strategy="delete+insert",
        unique_key="id",
        order_by="id",
        on_schema_change="append_new_columns",
    )
}}
select id, amount_cents {% if var("batch") == 2 %}, status {% endif %}
from {{ ref("orders_view") }}
