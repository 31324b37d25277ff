{{ config(order_by='(project_id, step)') }}

{%- set projects = project_settings(ref('fct_events'), ref('stg_collector__projects')) %}
{%- set steps = ['catalog', 'product_view', 'add_to_cart', 'cart', 'purchase'] %}
{%- set conditions = [] %}
{%- for step in steps %}
    {%- do conditions.append("event = '" ~ step ~ "'") %}
{%- endfor %}

with funnels as (
    select
        toUInt32(0) as project_id,
        toUInt32(0) as step,
        toUInt64(0) as persons,
        cast(null as Nullable(Float64)) as median_ms,
        cast(null as Nullable(Float64)) as avg_ms
    where false
    {%- for project in projects %}
    union all
    select
        toUInt32({{ project['project_id'] }}) as project_id,
        step,
        persons,
        median_ms,
        avg_ms
    from (
        {{ insights_funnel(
            ref('fct_events'),
            project['project_id'],
            conditions,
            "fromUnixTimestamp64Milli(" ~ project['starts_ms'] ~ ", 'UTC')",
            "fromUnixTimestamp64Milli(" ~ project['ends_ms'] ~ ", 'UTC')",
            14 * 24 * 60 * 60 * 1000
        ) | indent(8) }}
    )
    {%- endfor %}
)

select
    project_id,
    step,
    toLowCardinality(
        transform(step, [1, 2, 3, 4, 5], [{% for step in steps %}'{{ step }}'{{ ', ' if not loop.last }}{% endfor %}], '')
    ) as step_name,
    persons,
    median_ms,
    avg_ms
from funnels
