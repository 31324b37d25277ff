{{
    config(
        materialized='repaired',
        unique_key=['project_id', 'session_id'],
        stale_keys='touched',
        rules=sessions_of_events('events'),
        order_by='(project_id, started_at, session_id)',
        pre_hook='{{ keep_repaired() }}',
        post_hook='{{ settle_repairs() }}',
    )
}}

with events as (
    select {{ session_inputs().split() | join(', ') }}
    from {{ ref('fct_events') }}
    {%- if not repairs_all() %}
    where (project_id, session_id) in ({{ touched(['project_id', 'session_id']) }})
    {%- endif %}
)

select {{ session_columns().split() | join(', ') }}
from (
    {{ sessions_of_events('events') | indent(4) }}
)
