{{ config(order_by='(project_id, anonymous_id)') }}

with identifies as (
    select
        project_id,
        anonymous_id,
        user_id,
        timestamp,
        received_at,
        sequence,
        message_id
    from {{ ref('int_events_linking') }}
    where type = 'identify' and anonymous_id != '' and user_id != ''
),

aliases as (
    select
        project_id,
        previous_id,
        user_id,
        timestamp,
        received_at,
        sequence,
        message_id
    from {{ ref('int_aliases_ranked') }}
    where alias_rank = 1 and not is_self
),

merged as (
    select
        project_id,
        user_id,
        merged_user_id,
        refusal
    from {{ ref('int_users_merged') }}
),

links as (
    select
        project_id,
        anonymous_id,
        user_id,
        {{ event_order() }} as linked_at
    from identifies
    union all
    -- The previous id of an alias may be a device's: an accepted alias links it as an identify would.
    select
        aliases.project_id as project_id,
        aliases.previous_id as anonymous_id,
        aliases.user_id as user_id,
        {{ event_order('aliases') }} as linked_at
    from aliases
    inner join merged on aliases.project_id = merged.project_id and aliases.previous_id = merged.user_id
    where merged.refusal = ''
),

resolved as (
    select
        links.project_id as project_id,
        links.anonymous_id as anonymous_id,
        links.linked_at as linked_at,
        if(merged.merged_user_id = '', links.user_id, merged.merged_user_id) as merged_user_id
    from links
    left join merged on links.project_id = merged.project_id and links.user_id = merged.user_id
),

collected as (
    select
        project_id,
        anonymous_id,
        arraySort(groupArray((linked_at, merged_user_id))) as all_links
    from resolved
    group by project_id, anonymous_id
)

select
    project_id,
    anonymous_id,
    -- Clients identify on every page: only the links that change the user are kept.
    arrayFilter(
        (link, previous) -> link.2 != previous,
        all_links,
        arrayPushFront(arrayPopBack(all_links.2), '')
    ) as links
from collected
