{{ config(order_by='(project_id, aliased_at, message_id)') }}

with aliases as (
    select
        project_id,
        message_id,
        previous_id,
        user_id,
        timestamp,
        is_self,
        alias_rank,
        -- What the first alias of the same previous id said.
        first_value(user_id) over (partition by project_id, previous_id, is_self order by alias_rank) as first_user_id
    from {{ ref('int_aliases_ranked') }}
),

merged as (
    select
        project_id,
        user_id,
        merged_user_id,
        refusal
    from {{ ref('int_users_merged') }}
),

judged as (
    select
        aliases.project_id as project_id,
        aliases.message_id as message_id,
        aliases.previous_id as previous_id,
        aliases.user_id as user_id,
        aliases.timestamp as aliased_at,
        merged.merged_user_id as merged_user_id,
        multiIf(
            aliases.is_self, 'same_id',
            aliases.alias_rank = 1, merged.refusal,
            aliases.first_user_id = aliases.user_id, 'repeated',
            'merged_elsewhere'
        ) as reason
    from aliases
    left join merged on aliases.project_id = merged.project_id and aliases.previous_id = merged.user_id
)

select
    project_id,
    message_id,
    previous_id,
    user_id,
    aliased_at,
    toBool(reason = '') as is_merged,
    toLowCardinality(reason) as refusal,
    if(is_merged, concat('user:', merged_user_id), '') as person_id
from judged
