{{ config(order_by='(project_id, person_number, sdk_session_key, started_at)') }}

-- depends_on: {{ ref('int_events_identified') }}
-- depends_on: {{ ref('int_events_stale') }}
-- depends_on: {{ ref('int_persons_numbered') }}

{%- if rebuilds_facts() %}

with persons as (
    select
        project_id,
        person_id,
        person_number
    from {{ ref('int_persons_numbered') }}
),

events as (
    select
        identified.project_id as project_id,
        persons.person_number as person_number,
        {{ sdk_session_key('identified.session_id') }} as sdk_session_key,
        identified.timestamp as timestamp
    from {{ ref('int_events_identified') }} as identified
    inner join persons on identified.project_id = persons.project_id and identified.person_id = persons.person_id
),
{%- else %}

with events as (
    select
        project_id,
        person_number,
        sdk_session_key,
        timestamp
    from {{ ref('int_events_stale') }}
),
{%- endif %}

split_sessions as (
    select
        project_id,
        sdk_session_key
    from {{ ref('int_sdk_sessions') }}
    where dateDiff('millisecond', first_at, last_at) >= {{ session_cap_ms() }}
),

projects as (
    select
        project_id,
        session_gap_minutes
    from {{ ref('stg_collector__projects') }}
),

-- Only what has no usable session of the SDK; a session of the SDK that is split stays apart from other events.
underived as (
    select
        events.project_id as project_id,
        events.person_number as person_number,
        events.sdk_session_key as sdk_session_key,
        toUnixTimestamp64Milli(events.timestamp) as timestamp_ms,
        if(projects.session_gap_minutes = 0, 30, projects.session_gap_minutes) * 60000 as gap_ms
    from events
    left join projects on events.project_id = projects.project_id
    where
        events.sdk_session_key = 0
        or (events.project_id, events.sdk_session_key) in (
            select
                project_id,
                sdk_session_key
            from split_sessions
        )
)

select
    project_id,
    person_number,
    sdk_session_key,
    started_at
from (
    {{ derived_sessions('underived') | indent(4) }}
)
