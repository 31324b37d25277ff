{{ config(order_by='(project_id, message_id)') }}

-- depends_on: {{ ref('int_events_arrived') }}
-- depends_on: {{ ref('int_keys_changed') }}
-- depends_on: {{ ref('stg_collector__events') }}

{%- set keys = ref('int_keys_changed') %}
{#- A text by itself is looked up four times as fast as together with its project. -#}
{%- set conditions = {
    'device': "
        anonymous_id in (select key from " ~ keys ~ " where kind = 'device')
        and (project_id, anonymous_id) in (select project_id, key from " ~ keys ~ " where kind = 'device')
    ",
    'user': "
        user_id in (select key from " ~ keys ~ " where kind = 'user')
        and (project_id, user_id) in (select project_id, key from " ~ keys ~ " where kind = 'user')
    ",
    'session': "(project_id, toString(" ~ sdk_session_key('session_id') ~ ")) in (
        select project_id, key from " ~ keys ~ " where kind = 'session'
    )",
    'project': "project_id in (select project_id from " ~ keys ~ " where kind = 'project')",
    'source': "(
        lower(utm_source) in (select key from " ~ keys ~ " where kind = 'source')
        or referrer_host in (select key from " ~ keys ~ " where kind = 'source')
    )",
    'agent': "user_agent in (select key from " ~ keys ~ " where kind = 'agent')",
    'address': "ip in (select key from " ~ keys ~ " where kind = 'address')",
    'day': "toString(toDate32(timestamp, 'UTC')) in (select key from " ~ keys ~ " where kind = 'day')",
    'result': "(project_id, message_id) in (
        select
            project_id,
            message_id
        from " ~ source('enrichment', 'custom') ~ "
        where (project_id, toString(toUnixTimestamp(toStartOfMinute(processed_at)))) in (
            select
                project_id,
                key
            from " ~ keys ~ "
            where kind = 'result'
        )
    )",
} %}
{%- set changed_kinds = [] %}
{%- if not rebuilds_facts() %}
{%- for row in run_query('select distinct kind from ' ~ ref('int_keys_changed') ~ ' order by kind').rows %}
{%- do changed_kinds.append(row[0]) %}
{%- endfor %}
{%- endif %}

with arrived as (
    select
        project_id,
        message_id,
        timestamp,
        received_at,
        is_removed
    from {{ ref('int_events_arrived') }}
)

select
    project_id,
    message_id,
    timestamp,
    received_at,
    -- A delivery that was taken in again is removed in one form and new in another: it is new.
    min(is_removed) as is_removed,
    toLowCardinality('arrived') as reason
from arrived
group by project_id, message_id, timestamp, received_at
{%- for kind in changed_kinds %}
union all
select
    project_id,
    message_id,
    timestamp,
    received_at,
    false as is_removed,
    toLowCardinality('{{ kind }}') as reason
from {{ ref('stg_collector__events') }}
where (anonymous_id != '' or user_id != '') and {{ conditions[kind] }}
{%- endfor %}
