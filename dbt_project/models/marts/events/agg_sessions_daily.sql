{{
    config(
        materialized='repaired',
        unique_key=['project_id', 'started_date'],
        stale_keys='touched_session_days',
        order_by='(project_id, dimension, started_date, value)',
        settings={'min_bytes_for_wide_part': 0},
        pre_hook='{{ keep_repaired() }}',
        post_hook='{{ settle_repairs() }}',
    )
}}

{#- What most reports are broken down by, and has few values. -#}
{%- set dimensions = ['channel', 'country', 'device_type', 'browser', 'os'] %}
{%- set days = ['project_id', 'started_date'] %}
{%- set is_stale =
    'true' if repairs_all() else '(project_id, started_date) in (' ~ touched_session_days(days) ~ ')'
%}

with sessions as (
    select
        project_id,
        started_date,
        person_number,
        views,
        is_bounce,
        duration_ms,
        {{ dimensions | join(',\n        ') }}
    from {{ ref('fct_sessions') }}
    where views > 0 and {{ is_stale }}
),

grouped as (
    select
        project_id,
        started_date,
        {{ dimensions | join(',\n        ') }},
        count() as sessions,
        sum(views) as views,
        countIf(is_bounce) as bounces,
        sum(duration_ms) as duration_ms,
        groupBitmapState(person_number) as persons
    from sessions
    group by project_id, started_date, {{ dimensions | join(', ') }}
),

pairs as (
    select
        project_id,
        started_date,
        sessions,
        views,
        bounces,
        duration_ms,
        persons,
        arrayJoin([
            ('all', ''),
            {%- for dimension in dimensions %}
            ('{{ dimension }}', toString({{ dimension }})){{ ',' if not loop.last }}
            {%- endfor %}
        ]) as pair
    from grouped
)

select
    project_id,
    toLowCardinality(pair.1) as dimension,
    started_date,
    toLowCardinality(pair.2) as value,
    sum(sessions) as sessions,
    sum(views) as views,
    sum(bounces) as bounces,
    sum(duration_ms) as duration_ms,
    groupBitmapMergeState(persons) as persons
from pairs
group by project_id, dimension, started_date, value
