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
where {{ is_among(events_that_stay, ['project_id', 'message_id'], ['project_id', 'received_at']) }}
{%- endif %}
