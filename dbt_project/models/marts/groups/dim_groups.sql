{#- Made anew in every run: group events are few. -#}
{{ config(order_by='(project_id, group_type, group_id)') }}

with events as (
    select
        project_id,
        group_type,
        group_id,
        timestamp
    -- Group events that name no person stand in staging only.
    from {{ ref('stg_collector__events') }}
    where group_type != '' and group_id != ''
),

traits as (
    select
        project_id,
        group_type,
        group_id,
        arraySort(groupArray(concat(toJSONString(trait_name), ':', value_after))) as members
    from {{ ref('fct_group_trait_changes') }}
    where valid_to is null
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
