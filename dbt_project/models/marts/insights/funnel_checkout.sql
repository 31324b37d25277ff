{#- Made from insights/funnel_checkout.yml by `radixinsight insights write`: edit that file. -#}
{{ config(order_by='(project_id, step)') }}

with funnel as (
    {{ insights_funnel(
        relation=ref('fct_events'),
        project="project_id",
        steps=[
            "event = 'catalog'",
            "event = 'product_view'",
            "event = 'add_to_cart'",
            "event = 'cart'",
            "event = 'purchase'",
        ],
        start="toDateTime64('1970-01-01 00:00:00', 3, 'UTC')",
        end="toDateTime64('2200-01-01 00:00:00', 3, 'UTC')",
        window_ms=1209600000,
        keys=["project_id"],
        where="true",
        actor="person_number",
        order="ordered",
        attempts="best",
        tie_grace_ms=none,
        exclusions=[],
        hold_constant=[],
        hide_incomplete=false,
        disjoint=true,
    ) | indent(4) }}
)

select
    project_id,
    step,
    toLowCardinality({{ "['catalog', 'product_view', 'add_to_cart', 'cart', 'purchase']" }}[step]) as step_name,
    persons,
    lost_persons,
    incomplete_persons,
    median_ms,
    avg_ms,
    p90_ms
from funnel
