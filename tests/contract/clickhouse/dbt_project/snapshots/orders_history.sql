{% snapshot orders_history %}
{{ config(unique_key="id", strategy="check", check_cols=["amount_cents", "status"]) }}
select id, amount_cents, status from {{ ref("orders_view") }}
{% endsnapshot %}
