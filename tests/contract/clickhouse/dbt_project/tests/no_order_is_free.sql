select id from {{ ref("orders_table") }} where amount_cents = 0
