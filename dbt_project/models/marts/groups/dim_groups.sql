{#- Made anew in every run: group events are few. -#}
{{ config(order_by='(project_id, group_type, group_id)') }}

with events as (
    select
        project_id,
        group_type,
        group_id,
        type,
        traits,
        timestamp,
        received_at,
        sequence,
        message_id
    -- Group events that name no person stand in staging only.
    from {{ ref('stg_collector__events') }}
    where group_type != '' and group_id != ''
),

assigned as (
    select
        project_id,
        group_type,
        group_id,
        {{ event_order() }} as ordering,
        arrayJoin(JSONExtractKeysAndValuesRaw(traits)) as trait
    from events
    where type = 'group' and traits != ''
),

current as (
    select
        project_id,
        group_type,
        group_id,
        trait.1 as trait_name,
        argMax(trait.2, ordering) as trait_value
    from assigned
    group by project_id, group_type, group_id, trait_name
),

traits as (
    select
        project_id,
        group_type,
        group_id,
        arraySort(groupArray(concat(toJSONString(trait_name), ':', trait_value))) as members
    from current
    group by project_id, group_type, group_id
),

groups as (
    select
        project_id,
        group_type,
        group_id,
        min(timestamp) as first_seen_at,
        max(timestamp) as last_seen_at,
        count() as events
    from events
    group by project_id, group_type, group_id
)

select
    groups.project_id as project_id,
    groups.group_type as group_type,
    groups.group_id as group_id,
    groups.first_seen_at as first_seen_at,
    groups.last_seen_at as last_seen_at,
    groups.events as events,
    concat('{', arrayStringConcat(traits.members, ','), '}') as traits
from groups
left join traits
    on
        groups.project_id = traits.project_id
        and groups.group_type = traits.group_type
        and groups.group_id = traits.group_id
