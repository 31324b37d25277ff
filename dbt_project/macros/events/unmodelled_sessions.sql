{#-
    Sessions with events in them that landed and that no refresh has modelled yet. Such an event belongs to the session of the
    SDK that it names, which grows; or it makes a session with others of its person by its instant, which may reach, join and
    move those that are modelled.
-#}

{#-
    All events with the sessions that they belong to, a relation for an insight. `unmodelled` is events_with_content with
    `content`, further columns of fct_events, and sdk_session_key; or none. `changed` names the arrays and instants of
    changed_sessions. With `only_changed`, the events of those sessions alone.
-#}
{%- macro events_with_sessions(facts, project, unmodelled, content, changed, only_changed=false) -%}
{%- set columns = columns_of_insights().split() + content -%}
(
    select
        {{ columns | join(',\n        ') }},
        session_id
    from {{ facts }}
    where
        project_id = {{ project }}
        {%- if only_changed %}
        and timestamp >= {{ changed['from_at'] }}
        and timestamp <= {{ changed['to_at'] }}
        and has({{ changed['anew'] }}, session_id)
        {%- else %}
        and session_id not in {{ changed['replaced'] }}
        {%- endif %}
    union all
    select
        {{ columns | join(',\n        ') }},
        if(held.is_of_sdk, held.sdk_session_key, {{ derived_session_id('held') }}) as session_id
    from (
        select
            {{ columns | join(',\n            ') }},
            is_of_sdk,
            sdk_session_key,
            fromUnixTimestamp64Milli(
                arrayLast(
                    (started_ms, person) -> person = person_number and started_ms <= toUnixTimestamp64Milli(timestamp),
                    {{ changed['start_ms'] }},
                    {{ changed['start_persons'] }}
                ),
                'UTC'
            ) as started_at
        from (
            select
                {{ columns | join(',\n                ') }},
                false as is_of_sdk,
                toUInt64(0) as sdk_session_key
            from {{ facts }}
            where
                project_id = {{ project }}
                and timestamp >= {{ changed['from_at'] }}
                and timestamp <= {{ changed['to_at'] }}
                and has({{ changed['replaced'] }}, session_id)
            {%- if unmodelled %}
            union all
            select
                {{ columns | join(',\n                ') }},
                sdk_session_key != 0 as is_of_sdk,
                sdk_session_key
            from (
                {{ unmodelled | indent(16) }}
            )
            {%- endif %}
        ) as moved
    ) as held
)
{%- endmacro -%}

{#-
    agg_sessions_daily with such events in it: the days in which sessions may change are counted here. `sessions` is all_sessions,
    `dimension` one of the rollup's, or none for all sessions together. Dates are the project's: whoever asks sees to it.
-#}
{%- macro all_of_session_rollup(rollup, project, sessions, timezone, changed, dimension=none) -%}
{%- set first_day = 'toDate32(' ~ changed['from_at'] ~ ', ' ~ timezone ~ ') - 1' -%}
{%- set last_day = 'toDate32(' ~ changed['to_at'] ~ ', ' ~ timezone ~ ') + 1' -%}
(
    select
        project_id,
        dimension,
        started_date,
        toString(value) as value,
        sessions,
        views,
        bounces,
        duration_ms,
        persons
    from {{ rollup }}
    where
        project_id = {{ project }}
        and dimension = '{{ dimension or 'all' }}'
        and (started_date < {{ first_day }} or started_date > {{ last_day }})
    union all
    select
        project_id,
        '{{ dimension or 'all' }}' as dimension,
        started_date,
        value,
        count() as sessions,
        sum(views) as views,
        countIf(is_bounce) as bounces,
        sum(duration_ms) as duration_ms,
        groupBitmapState(person_number) as persons
    from (
        select
            project_id,
            started_date,
            {{ 'toString(' ~ dimension ~ ')' if dimension else "''" }} as value,
            views,
            is_bounce,
            duration_ms,
            person_number
        from {{ sessions }} as all_of_them
        where
            views > 0
            and started_at >= {{ changed['from_at'] }} - toIntervalDay(3)
            and started_date >= {{ first_day }}
            and started_date <= {{ last_day }}
    ) as of_those_days
    group by project_id, started_date, value
)
{%- endmacro -%}

{#-
    All sessions with those in it that such events change. `events` is events_with_sessions of these alone, with page_host,
    page_path and `of_entry`, those of columns_of_entry that are asked for.
-#}
{%- macro all_sessions(sessions, project, events, of_entry, changed) -%}
{%- set columns = session_columns(of_entry).split() | join(', ') -%}
(
    select {{ columns }}
    from {{ sessions }}
    where
        project_id = {{ project }}
        and session_id not in {{ changed['replaced'] }}
        and session_id not in {{ changed['anew'] }}
    union all
    select {{ columns }}
    from (
        {{ sessions_of_events(events, of_entry) | indent(8) }}
    )
)
{%- endmacro -%}
