{{ config(order_by='(project_id, user_id)') }}

{#- Longer chains than any honest client makes are not followed: their aliases are refused (chain_too_long). -#}
{% set max_merges = 100 %}

with recursive aliases as (
    select
        project_id,
        previous_id,
        user_id,
        alias_number
    from {{ ref('int_aliases_ranked') }}
    where not is_self and alias_rank = 1
),

chains as (
    select
        project_id,
        previous_id as start_id,
        user_id as end_id,
        [previous_id] as passed_ids,
        [alias_number] as passed_numbers
    from aliases
    union all
    select
        chains.project_id,
        chains.start_id,
        aliases.user_id as end_id,
        arrayPushBack(chains.passed_ids, aliases.previous_id) as passed_ids,
        arrayPushBack(chains.passed_numbers, aliases.alias_number) as passed_numbers
    from chains
    inner join aliases on chains.project_id = aliases.project_id and chains.end_id = aliases.previous_id
    where not has(chains.passed_ids, chains.end_id) and length(chains.passed_ids) <= {{ max_merges }}
),

longest as (
    select
        project_id,
        start_id,
        end_id,
        passed_ids,
        passed_numbers
    from chains
    order by length(passed_ids) desc
    limit 1 by project_id, start_id
),

resolved as (
    select
        project_id,
        start_id as user_id,
        -- A chain that runs into itself holds a ring; its latest alias is refused, so the ring ends at that id.
        indexOf(passed_ids, end_id) as ring_starts_at,
        arraySlice(passed_ids, greatest(ring_starts_at, 1)) as ring_ids,
        arraySlice(passed_numbers, greatest(ring_starts_at, 1)) as ring_numbers,
        if(ring_starts_at > 0, ring_ids[indexOf(ring_numbers, arrayMax(ring_numbers))], end_id) as last_id,
        if(ring_starts_at > 0, indexOf(passed_ids, last_id) - 1, length(passed_ids)) as merges
    from longest
)

select
    project_id,
    user_id,
    multiIf(merges > {{ max_merges }}, user_id, last_id) as merged_user_id,
    multiIf(merges > {{ max_merges }}, 'chain_too_long', last_id = user_id, 'ring', '') as refusal
from resolved
