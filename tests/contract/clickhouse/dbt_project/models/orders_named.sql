{{ config(materialized="table", order_by="id") }}
-- depends_on: {{ ref("customer_names") }}
select id, dictGet('{{ ref("customer_names").schema }}.customer_names', 'name', toUInt64(customer_id)) as name
from {{ ref("orders_table") }}
