{{ config(order_by='(project_id, step)') }}

{%- set steps = ['catalog', 'product_view', 'add_to_cart', 'cart', 'purchase'] %}

with funnel as (
    {{ insights_funnel(
        relation=ref('fct_events'),
        project='project_id',
        steps=named_events(steps),
        start="toDateTime64('1970-01-01 00:00:00', 3, 'UTC')",
        end="toDateTime64('2200-01-01 00:00:00', 3, 'UTC')",
        window_ms=14 * 24 * 60 * 60 * 1000,
        keys=['project_id'],
        actor='person_number',
        disjoint=true,
    ) | indent(4) }}
)

select
    project_id,
    step,
    toLowCardinality(
        ['{{ steps | join("', '") }}'][step]
    ) as step_name,
    persons,
    median_ms,
    avg_ms
from funnel
