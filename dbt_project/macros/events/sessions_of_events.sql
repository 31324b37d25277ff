{#-
    Sessions, each of what its events say. Grain: one row per project and session. Columns: those of fct_sessions, as
    session_columns names them.

    `events` has the columns of fct_events that session_inputs names. Of columns_of_entry all are told, or those of `of_entry`.
-#}

{#- What the first event of a session says that says it at all; a visit's later pages come from within. In a text. -#}
{%- macro columns_of_entry() -%}
    channel referrer_type referrer_name utm_source utm_medium utm_campaign country region city browser os device_type
{%- endmacro -%}

{%- macro session_inputs() -%}
    project_id session_id message_id type event person_number timestamp received_at sequence event_date page_host
    page_path {{ columns_of_entry() }}
{%- endmacro -%}

{%- macro session_columns(of_entry=none) -%}
    project_id session_id person_number started_at ended_at started_date duration_ms events views is_bounce entry_event
    exit_event entry_host entry_path {{ columns_of_entry() if of_entry is none else of_entry | join(' ') }} exit_path
{%- endmacro -%}

{%- macro sessions_of_events(events, of_entry=none) -%}
{%- set of_entry = columns_of_entry().split() if of_entry is none else of_entry -%}
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
from (
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
    from (
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
            {%- for column in of_entry %}
            {{ column }},
            {%- endfor %}
            {{ event_order_key() | indent(12) }} as ordering
        from {{ events }}
    ) as ordered
    group by project_id, session_id
) as grouped
{%- endmacro -%}
