{{ config(order_by='(kind, project_id, key)') }}

-- depends_on: {{ ref('int_keys_hashed') }}

{%- if rebuilds_facts() %}

select
    kind,
    project_id,
    key
from {{ ref('int_keys_hashed') }}
where false
{%- else %}

with states as (
    select
        kind,
        project_id,
        key,
        state
    from {{ ref('int_keys_hashed') }}
    union all
    select
        kind,
        project_id,
        key,
        state
    from {{ facts_table('settled_keys') }}
)

select
    kind,
    project_id,
    key
from states
group by kind, project_id, key
-- Known on one side only, or otherwise on both.
having count() = 1 or min(state) != max(state)
{%- endif %}
