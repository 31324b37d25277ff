{{ config(order_by='(project_id, message_id)') }}

-- depends_on: {{ ref('int_events_changed') }}

select
    project_id,
    message_id,
    person_id,
    {{ sdk_session_key('session_id') }} as sdk_session_key,
    timestamp,
    received_at,
    sequence
from {{ ref('int_events_identified') }}
{%- if rebuilds_facts() %}
where false
{%- else %}
where (project_id, message_id) in (
    select
        project_id,
        message_id
    from {{ ref('int_events_changed') }}
    where not is_removed
)
{%- endif %}
