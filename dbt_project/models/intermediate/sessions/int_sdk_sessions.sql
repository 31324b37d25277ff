{{
    config(
        materialized='repaired',
        unique_key=['project_id', 'sdk_session_key'],
        stale_keys='arrived_sessions',
        all_stale='rebuilds_facts',
        order_by='(project_id, sdk_session_key)',
    )
}}

-- depends_on: {{ ref('int_events_arrived') }}
-- depends_on: {{ ref('stg_collector__events') }}

{%- set measures_all = rebuilds_facts() or load_relation(this) is none %}
{%- set has_removed = not measures_all and has_rows(ref('int_events_arrived'), 'is_removed') %}
{#- Sessions that lost an event are measured anew; the others can only have grown. -#}
{%- set is_shrunk =
    '(project_id, sdk_session_key) in (
        select
            project_id,
            sdk_session_key
        from ' ~ ref('int_events_arrived') ~ '
        where is_removed
    )' if has_removed
%}

with spanned as (
    {%- if measures_all or has_removed %}
    select
        project_id,
        {{ sdk_session_key('session_id') }} as sdk_session_key,
        timestamp
    from {{ ref('stg_collector__events') }}
    where session_id != '' and (anonymous_id != '' or user_id != '') {{- ' and ' ~ is_shrunk if has_removed }}
    {%- endif %}
    {%- if has_removed %}
    union all
    {%- endif %}
    {%- if not measures_all %}
    select
        project_id,
        sdk_session_key,
        timestamp
    from {{ ref('int_events_arrived') }}
    where sdk_session_key != 0 and not is_removed
    union all
    select
        project_id,
        sdk_session_key,
        arrayJoin([first_at, last_at]) as timestamp
    from {{ this }}
    where (project_id, sdk_session_key) in (
        select
            project_id,
            sdk_session_key
        from {{ ref('int_events_arrived') }}
        where not is_removed
    ) {{- ' and not ' ~ is_shrunk if has_removed }}
    {%- endif %}
)

select
    project_id,
    sdk_session_key,
    min(timestamp) as first_at,
    max(timestamp) as last_at
from spanned
group by project_id, sdk_session_key
