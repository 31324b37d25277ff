{{ config(order_by='(project_id, person_number)') }}

-- depends_on: {{ ref('int_events_changed') }}
-- depends_on: {{ ref('int_events_resolved') }}
-- depends_on: {{ ref('int_persons_numbered') }}

{%- if rebuilds_facts() %}

select
    toUInt32(0) as project_id,
    toUInt32(0) as person_number,
    toInt64(0) as first_ms,
    toInt64(0) as last_ms
where false
{%- else %}

with resolved as (
    select
        project_id,
        person_id,
        timestamp
    from {{ ref('int_events_resolved') }}
),

persons as (
    select
        project_id,
        person_id,
        person_number
    from {{ ref('int_persons_numbered') }}
    where (project_id, person_id) in (
        select
            project_id,
            person_id
        from resolved
    )
),

-- What the changed events are now, and what they were.
changes as (
    select
        resolved.project_id as project_id,
        persons.person_number as person_number,
        resolved.timestamp as timestamp
    from resolved
    inner join persons on resolved.project_id = persons.project_id and resolved.person_id = persons.person_id
    union all
    select
        project_id,
        person_number,
        timestamp
    from {{ facts() }}
    where {{ is_among(changed_events, ['project_id', 'message_id'], ['project_id', 'timestamp']) | indent(4) }}
)

select
    project_id,
    person_number,
    toUnixTimestamp64Milli(min(timestamp)) as first_ms,
    toUnixTimestamp64Milli(max(timestamp)) as last_ms
from changes
group by project_id, person_number
{%- endif %}
