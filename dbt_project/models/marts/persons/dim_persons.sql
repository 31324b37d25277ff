{{
    config(
        materialized='repaired',
        unique_key=['project_id', 'person_number'],
        stale_keys='touched',
        order_by='(project_id, person_number)',
        pre_hook='{{ keep_repaired() }}',
        post_hook='{{ settle_repairs() }}',
    )
}}

{%- set is_touched =
    'true' if repairs_all() else '(project_id, person_number) in (' ~ touched(['project_id', 'person_number']) ~ ')'
%}

with events as (
    select
        project_id,
        person_number,
        session_id,
        timestamp
    from {{ ref('fct_events') }}
    where {{ is_touched }}
),

names as (
    select
        project_id,
        person_number,
        person_id
    from {{ ref('int_persons_numbered') }}
    where {{ is_touched }}
),

traits as (
    select
        project_id,
        person_number,
        arraySort(groupArray(concat(toJSONString(trait_name), ':', value_after))) as members
    from {{ ref('fct_trait_changes') }}
    where valid_to is null and {{ is_touched }}
    group by project_id, person_number
),

persons as (
    select
        project_id,
        person_number,
        min(timestamp) as first_seen_at,
        max(timestamp) as last_seen_at,
        count() as events,
        uniqExact(session_id) as sessions
    from events
    group by project_id, person_number
)

select
    persons.project_id as project_id,
    persons.person_number as person_number,
    names.person_id as person_id,
    persons.first_seen_at as first_seen_at,
    persons.last_seen_at as last_seen_at,
    persons.events as events,
    persons.sessions as sessions,
    toBool(startsWith(names.person_id, 'user:')) as is_identified,
    if(is_identified, substring(names.person_id, 6), '') as user_id,
    concat('{', arrayStringConcat(traits.members, ','), '}') as traits
from persons
inner join names on persons.project_id = names.project_id and persons.person_number = names.person_number
left join traits on persons.project_id = traits.project_id and persons.person_number = traits.person_number
