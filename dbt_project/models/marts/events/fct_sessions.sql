{{
    config(
        materialized='repaired',
        unique_key=['project_id', 'session_id'],
        stale_keys='touched',
        order_by='(project_id, started_at, session_id)',
        pre_hook='{{ keep_repaired() }}',
        post_hook='{{ settle_repairs() }}',
    )
}}

{#- What the first event of a session says that says it at all; a visit's later pages come from within. -#}
{%- set of_entry = [
    'channel', 'referrer_type', 'referrer_name', 'utm_source', 'utm_medium', 'utm_campaign', 'country', 'region', 'city',
    'browser', 'os', 'device_type',
] %}

with events as (
    select
        project_id,
        session_id,
        type,
        event,
        person_number,
        timestamp,
        event_date,
        page_host,
        page_path,
        {{ of_entry | join(', ') }},
        {{ event_order_key() | indent(8) }} as ordering
    from {{ ref('fct_events') }}
    {%- if not repairs_all() %}
    where (project_id, session_id) in ({{ touched(['project_id', 'session_id']) }})
    {%- endif %}
),

grouped as (
    select
        project_id,
        session_id,
        -- A session of the SDK may see two persons (a shared device): it counts for the one who started it.
        argMin(person_number, ordering) as person_number,
        argMin(event, ordering) as entry_event,
        argMax(event, ordering) as exit_event,
        min(timestamp) as started_at,
        max(timestamp) as ended_at,
        min(event_date) as started_date,
        count() as events,
        countIf(type in ('page', 'screen')) as views,
        countIf(type = 'track') as tracks,
        argMinIf(page_host, ordering, page_path != '') as entry_host,
        argMinIf(page_path, ordering, page_path != '') as entry_path,
        {%- for column in of_entry %}
        argMinIf({{ column }}, ordering, {{ column }} != '') as {{ column }},
        {%- endfor %}
        argMaxIf(page_path, ordering, page_path != '') as exit_path
    from events
    group by project_id, session_id
)

select
    project_id,
    session_id,
    person_number,
    started_at,
    ended_at,
    started_date,
    toUInt64(dateDiff('millisecond', started_at, ended_at)) as duration_ms,
    events,
    views,
    toBool(views = 1 and tracks = 0) as is_bounce,
    toLowCardinality(entry_event) as entry_event,
    toLowCardinality(exit_event) as exit_event,
    toLowCardinality(entry_host) as entry_host,
    entry_path,
    {%- for column in of_entry %}
    toLowCardinality({{ column }}) as {{ column }},
    {%- endfor %}
    exit_path
from grouped
