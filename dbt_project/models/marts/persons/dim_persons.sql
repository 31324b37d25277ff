{{ config(order_by='(project_id, person_id)') }}

with events as (
    select
        project_id,
        person_id,
        session_id,
        timestamp
    from {{ ref('fct_events') }}
),

identifies as (
    select
        project_id,
        person_id,
        traits,
        message_id,
        timestamp,
        received_at,
        sequence
    from {{ ref('int_events_identified') }}
    where type = 'identify' and traits != ''
),

keyed as (
    select
        project_id,
        person_id,
        message_id,
        timestamp,
        received_at,
        sequence,
        arrayJoin(JSONExtractKeysAndValuesRaw(traits)) as trait
    from identifies
),

latest as (
    select
        project_id,
        person_id,
        trait.1 as trait_name,
        argMax(trait.2, {{ event_order() }}) as trait_value
    from keyed
    group by project_id, person_id, trait_name
),

traits as (
    select
        project_id,
        person_id,
        arraySort(groupArray(concat(toJSONString(trait_name), ':', trait_value))) as members
    from latest
    group by project_id, person_id
),

persons as (
    select
        project_id,
        person_id,
        min(timestamp) as first_seen_at,
        max(timestamp) as last_seen_at,
        count() as events,
        uniqExact(session_id) as sessions
    from events
    group by project_id, person_id
)

select
    persons.project_id as project_id,
    persons.person_id as person_id,
    persons.first_seen_at as first_seen_at,
    persons.last_seen_at as last_seen_at,
    persons.events as events,
    persons.sessions as sessions,
    toBool(startsWith(persons.person_id, 'user:')) as is_identified,
    if(is_identified, substring(persons.person_id, 6), '') as user_id,
    concat('{', arrayStringConcat(traits.members, ','), '}') as traits
from persons
left join traits on persons.project_id = traits.project_id and persons.person_id = traits.person_id
