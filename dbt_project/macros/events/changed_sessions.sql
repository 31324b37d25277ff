{#-
    Which sessions are others than those in fct_sessions. One row: `anew`, Array(UInt64), those that are to be read anew: of the
    SDK that grow, and all that fct_events touched since fct_sessions was made of it; `replaced`, Array(UInt64), derived
    sessions that may be cut otherwise; `start_persons`, Array(UInt32), and `start_ms`, Array(Int64) since 1970, the persons and
    beginnings of those in place of them, in order; `from_at` and `to_at`, between which the modelled events of all of these
    lie; `is_known`, false where fct_events was made anew as a whole, or one of the SDK's is as long as a session may be, so that
    it is split; `numbered`, how many persons had numbers.

    `events` is events_with_content with the column sdk_session_key, or none without any; `facts`, `sdk_sessions`, `projects`,
    `numbered_persons`, `touched` and `repaired` are fct_events, int_sdk_sessions, stg_collector__projects,
    int_persons_numbered, fct_events_touched and fct_sessions_repaired. Of sessions that are behind at most `most` are told.
-#}
{%- macro changed_sessions(
    project, events, facts, sdk_sessions, projects, numbered_persons, touched, repaired, most
) -%}
with
    {%- if events %}
    (
        select groupArray((person_number, toUnixTimestamp64Milli(timestamp), sdk_session_key))
        from (
            {{ events | indent(12) }}
        )
    ) as landed,
    {%- else %}
    cast([], 'Array(Tuple(UInt32, Int64, UInt64))') as landed,
    {%- endif %}

    (
        select groupArray(session_id)
        from (
            select distinct session_id
            from {{ touched }}
            where project_id = {{ project }} and run > (select max(run) from {{ repaired }})
            limit {{ most }}
        ) as behind
    ) as behind,

    (
        select
            minOrNull(event_date),
            maxOrNull(event_date),
            countIf(is_rebuild)
        from {{ touched }}
        where
            -- That all was made anew is said of no project.
            project_id in ({{ project }}, 0)
            and (project_id != 0 or is_rebuild)
            and run > (select max(run) from {{ repaired }})
    ) as behind_days,

    ifNull(
        (
            select nullIf(max(session_gap_minutes), 0)
            from {{ projects }}
            where project_id = {{ project }}
        ),
        30
    ) * 60000 as gap_ms,

    (
        select count()
        from {{ numbered_persons }}
        where project_id = {{ project }}
    ) as numbered,

    arrayMap(event -> event.2, landed) as landed_ms,

    -- A session spans less than 24 hours, and a day is one of any zone.
    arrayMin(landed_ms) - {{ session_cap_ms() }} - gap_ms as reach_ms,

    spans as (
        select
            event.1 as person_number,
            min(event.2) as first_ms,
            max(event.2) as last_ms
        from (
            select arrayJoin(landed) as event
        ) as events
        where event.3 = 0
        group by person_number
    ),

    -- What is cut off at the beginning ends too early to matter.
    derived as (
        select
            person_number,
            (min(toUnixTimestamp64Milli(timestamp)), max(toUnixTimestamp64Milli(timestamp)), session_id) as session
        from {{ facts }}
        where
            project_id = {{ project }}
            and timestamp >= fromUnixTimestamp64Milli(reach_ms, 'UTC')
            and person_number in (select person_number from spans)
            and is_session_derived
            and split_session_key = 0
        group by person_number, session_id
    ),

    -- As far as there is no pause that ends a session: from the one in which the first of the events lies, or which it prolongs,
    -- to the first one that begins after a pause and a pause after the last of them.
    reached as (
        select
            spans.person_number as person_number,
            any(spans.first_ms) as first_ms,
            any(spans.last_ms) as last_ms,
            arraySort(groupArrayIf(derived.session, derived.session.3 != 0)) as held,
            arrayLast(session -> session.1 <= first_ms, held) as before,
            if(before.3 != 0 and before.2 > first_ms - gap_ms, before.1, first_ms) as since_ms,
            arrayFirst(
                (session, ended_ms) -> session.1 >= last_ms + gap_ms and session.1 >= ended_ms + gap_ms,
                held,
                arrayPopBack(arrayPushFront(tupleElement(held, 2), toInt64(0)))
            ).1 as until_ms,
            arrayFilter(
                session -> session.1 >= since_ms and (until_ms = 0 or session.1 < until_ms), held
            ) as sessions
        from spans
        left join derived on spans.person_number = derived.person_number
        group by person_number
    ),

    (
        select groupArrayArray(sessions)
        from reached
    ) as cut,

    arrayMap(session -> session.3, cut) as replaced,

    arrayDistinct(arrayFilter(key -> key != 0, arrayMap(event -> event.3, landed))) as grown,

    instants as (
        select
            toUInt32({{ project }}) as project_id,
            event.1 as person_number,
            event.3 as sdk_session_key,
            event.2 as timestamp_ms,
            gap_ms
        from (
            select arrayJoin(landed) as event
        ) as events
        where event.3 = 0
        union all
        select
            project_id,
            person_number,
            toUInt64(0) as sdk_session_key,
            toUnixTimestamp64Milli(timestamp) as timestamp_ms,
            gap_ms
        from {{ facts }}
        where
            project_id = {{ project }}
            and timestamp >= fromUnixTimestamp64Milli(reach_ms, 'UTC')
            and timestamp <= fromUnixTimestamp64Milli(arrayMax(tupleElement(cut, 2)), 'UTC')
            and has(replaced, session_id)
    ),

    (
        select arraySort(groupArray((person_number, toUnixTimestamp64Milli(started_at))))
        from (
            {{ derived_sessions('instants') | indent(12) }}
        )
    ) as starts,

    (
        select count()
        from (
            select key
            from (
                select
                    event.3 as key,
                    event.2 as first_ms,
                    event.2 as last_ms
                from (
                    select arrayJoin(landed) as event
                ) as events
                where event.3 != 0
                union all
                select
                    sdk_session_key as key,
                    toUnixTimestamp64Milli(first_at) as first_ms,
                    toUnixTimestamp64Milli(last_at) as last_ms
                from {{ sdk_sessions }}
                where project_id = {{ project }} and has(grown, sdk_session_key)
            ) as seen
            group by key
            having max(last_ms) - min(first_ms) >= {{ session_cap_ms() }}
        ) as long
    ) as split_sessions,

    arrayMap(
        day -> toUnixTimestamp64Milli(toDateTime64(assumeNotNull(day), 3, 'UTC')),
        arrayFilter(day -> isNotNull(day), [behind_days.1, behind_days.2])
    ) as behind_ms

select
    arrayDistinct(arrayConcat(grown, arrayFilter(id -> not has(replaced, id), behind))) as anew,
    replaced,
    tupleElement(starts, 1) as start_persons,
    tupleElement(starts, 2) as start_ms,
    fromUnixTimestamp64Milli(
        arrayMin(
            arrayConcat(
                if(empty(landed), [], [reach_ms]),
                arrayMap(day_ms -> day_ms - 2 * {{ session_cap_ms() }}, behind_ms)
            )
        ),
        'UTC'
    ) as from_at,
    fromUnixTimestamp64Milli(
        arrayMax(
            arrayConcat(
                arrayMap(event_ms -> event_ms + {{ session_cap_ms() }}, landed_ms),
                arrayMap(session -> session.2, cut),
                arrayMap(day_ms -> day_ms + 3 * {{ session_cap_ms() }}, behind_ms)
            )
        ),
        'UTC'
    ) as to_at,
    assumeNotNull(split_sessions) = 0 and behind_days.3 = 0 as is_known,
    numbered
{%- endmacro -%}
