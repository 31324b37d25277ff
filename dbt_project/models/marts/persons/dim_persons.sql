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

-- A group's traits are the group's.
carriers as (
    select
        project_id,
        person_number,
        traits,
        traits_once,
        traits_increment,
        {{ event_order() }} as ordering
    from {{ ref('fct_events') }}
    where
        type != 'group'
        and (traits != '' or traits_once != '' or traits_increment != '')
        and {{ is_touched }}
),

operations as (
    select
        project_id,
        person_number,
        ordering,
        arrayJoin(arrayConcat(
            arrayMap(trait -> ('set', trait.1, trait.2), JSONExtractKeysAndValuesRaw(traits)),
            arrayMap(
                trait -> ('once', trait.1, trait.2),
                -- Browsers send null for what they don't know.
                arrayFilter(trait -> trait.2 != 'null', JSONExtractKeysAndValuesRaw(traits_once))
            ),
            arrayMap(trait -> ('increment', trait.1, trait.2), JSONExtractKeysAndValuesRaw(traits_increment))
        )) as operation
    from carriers
),

-- The latest value that was set; else the earliest that was to be set once, if nothing was counted before it.
collected as (
    select
        project_id,
        person_number,
        operation.2 as trait_name,
        countIf(operation.1 = 'set') > 0 as is_set,
        maxIf(ordering, operation.1 = 'set') as set_at,
        argMaxIf(operation.3, ordering, operation.1 = 'set') as value_set,
        minIf(ordering, operation.1 = 'once') as once_at,
        argMinIf(operation.3, ordering, operation.1 = 'once') as value_once,
        groupArrayIf((ordering, operation.3), operation.1 = 'increment') as increments
    from operations
    group by project_id, person_number, trait_name
),

assigned as (
    select
        project_id,
        person_number,
        trait_name,
        multiIf(
            is_set, value_set,
            arrayExists(increment -> increment.1 < once_at, increments), '',
            value_once
        ) as base,
        arrayMap(
            increment -> increment.2, arrayFilter(increment -> not is_set or increment.1 > set_at, increments)
        ) as added
    from collected
),

-- Whole numbers are added as such: as floating point numbers, those above 2^53 would change.
valued as (
    select
        project_id,
        person_number,
        trait_name,
        toFloat64OrZero(base) + arraySum(number -> toFloat64OrZero(number), added) as total,
        multiIf(
            empty(added), base,
            arrayAll(number -> match(number, '^-?[0-9]{1,18}$'), arrayPushBack(added, if(base = '', '0', base))),
            toString(toInt128OrZero(base) + arraySum(number -> toInt128OrZero(number), added)),
            isFinite(total), toString(total),
            'null'
        ) as trait_value
    from assigned
),

traits as (
    select
        project_id,
        person_number,
        arraySort(groupArray(concat(toJSONString(trait_name), ':', trait_value))) as members
    from valued
    where trait_value != ''
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
