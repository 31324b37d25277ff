{% snapshot orders_stamped %}
{{ config(unique_key="id", strategy="timestamp", updated_at="changed_at") }}
select id, status, addDays(ordered_at, {{ var("batch") }}) as changed_at from {{ ref("orders_view") }}
{% endsnapshot %}
