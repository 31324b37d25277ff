{#- Made anew in every run: group events are few. -#}
{{ config(order_by='(project_id, group_type, group_id, trait_name, valid_from)') }}

with said as (
    select
        project_id,
        group_type,
        group_id,
        timestamp,
        message_id,
        {{ event_order() }} as ordering,
        arrayJoin(JSONExtractKeysAndValuesRaw(traits)) as member
    -- Group events that name no person stand in staging only.
    from {{ ref('stg_collector__events') }}
    where type = 'group' and group_type != '' and group_id != '' and traits != ''
),

operations as (
    select
        project_id,
        group_type,
        group_id,
        timestamp,
        message_id,
        ordering,
        'set' as operation,
        member.1 as trait_name,
        member.2 as operand
    from said
),

{{ trait_changes(['project_id', 'group_type', 'group_id']) }}

select
    project_id,
    group_type,
    group_id,
    trait_name,
    valid_from,
    valid_to,
    value_before,
    value_after,
    message_id
from changes
