{{ config(order_by='(project_id, message_id)', pre_hook='{{ list_unsettled_loads() }}') }}

-- depends_on: {{ ref('stg_collector__events') }}

{%- if rebuilds_facts() %}

select
    toUInt32(0) as project_id,
    '' as message_id,
    toUInt64(0) as sdk_session_key,
    toDateTime64(0, 3, 'UTC') as timestamp,
    toDateTime64(0, 3, 'UTC') as received_at,
    false as is_removed
where false
{%- else %}

with staged as (
    select
        project_id,
        message_id,
        {{ sdk_session_key('session_id') }} as sdk_session_key,
        timestamp,
        received_at,
        loaded_at
    from {{ ref('stg_collector__events') }}
    where loaded_at in ({{ unsettled_loads() }}) and (anonymous_id != '' or user_id != '')
),

held as (
    select
        project_id,
        message_id,
        multiIf(split_session_key != 0, split_session_key, is_session_derived, 0, session_id) as sdk_session_key,
        timestamp,
        received_at,
        loaded_at
    from {{ facts() }}
    where loaded_at in ({{ unsettled_loads() }})
)

-- A delivery that replaces another one has its message id and a later load.
select
    project_id,
    message_id,
    sdk_session_key,
    timestamp,
    received_at,
    false as is_removed
from staged
where (project_id, message_id, loaded_at) not in (
    select
        project_id,
        message_id,
        loaded_at
    from held
)
union all
select
    project_id,
    message_id,
    sdk_session_key,
    timestamp,
    received_at,
    true as is_removed
from held
where (project_id, message_id, loaded_at) not in (
    select
        project_id,
        message_id,
        loaded_at
    from staged
)
{%- endif %}
