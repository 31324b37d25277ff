{#-
    Lists of events and persons, a page of each, and the values of a property. All arguments are SQL expressions; `limit` is
    the number of rows. A page goes on after a row of the one before: `after` are what that one is ordered by, as a tuple.
-#}

{#-
    The events of fct_events in [start, end) that fit `condition`, which is asked of `relation`: `facts`, perhaps with more
    beside. With the ids that were sent (of `sent`, stg_collector__events: masked and erased as everywhere) and the person's
    (of `persons`, dim_persons). Grain: one row per event. Order: the latest first.
-#}
{%- macro insights_event_list(relation, facts, sent, persons, project, start, end, condition, limit, after=none) -%}
with
    -- Wide columns are read of these rows alone, by the tables' keys.
    (
        select groupArray((event, timestamp, message_id, received_at, person_number))
        from (
            select
                event,
                timestamp,
                message_id,
                received_at,
                person_number
            from {{ relation }}
            where
                project_id = {{ project }}
                and timestamp >= {{ start }}
                and timestamp < {{ end }}
                and ({{ condition }})
                {%- if after is not none %}
                and (timestamp, message_id) < {{ after }}
                {%- endif %}
            order by timestamp desc, message_id desc
            limit {{ limit }}
        )
    ) as page

select
    listed.message_id as message_id,
    listed.type as type,
    listed.event as event,
    listed.timestamp as timestamp,
    listed.received_at as received_at,
    ids.user_id as user_id,
    ids.anonymous_id as anonymous_id,
    names.person_id as person_id,
    listed.person_number as person_number,
    toString(listed.session_id) as session_id,
    listed.group_type as group_type,
    listed.group_id as group_id,
    listed.page_host as page_host,
    listed.page_path as page_path,
    listed.channel as channel,
    listed.country as country,
    listed.browser as browser,
    listed.os as os,
    listed.device_type as device_type,
    listed.properties as properties
from (
    select *
    from {{ facts }}
    where
        project_id = {{ project }}
        and (event, timestamp, message_id) in (select {{ insights_of_page('row.1, row.2, row.3') }})
) as listed
left join (
    select
        message_id,
        user_id,
        anonymous_id
    from {{ sent }}
    where
        project_id = {{ project }}
        and (received_at, message_id) in (select {{ insights_of_page('row.4, row.3') }})
) as ids on listed.message_id = ids.message_id
left join (
    select
        person_number,
        person_id
    from {{ persons }}
    where
        project_id = {{ project }}
        and person_number in (select {{ insights_of_page('row.5') }})
) as names on listed.person_number = names.person_number
order by listed.timestamp desc, listed.message_id desc
{%- endmacro -%}

{#- A set from a subquery is looked up by the key; a constant array is not. -#}
{%- macro insights_of_page(columns) -%}
{{ columns }} from (select arrayJoin(page) as row)
{%- endmacro -%}

{#-
    The persons of dim_persons that fit `condition`, with `size`, how many they are. Grain: one row per person. Order: who was
    seen last first. `actors` is a query with a column actor, of their numbers: the persons among these alone.
-#}
{%- macro insights_person_list(relation, project, condition, limit, after=none, actors=none) -%}
{%- set fits = '(' ~ condition ~ ')' ~ (' and bitmapContains(chosen, person_number)' if actors) -%}
{%- if actors -%}
with
    -- One value is computed once and stands there once: so long a statement may be as that of the figure.
    (
        select groupBitmapState(toUInt32(actor))
        from (
            {{ actors | indent(12) }}
        ) as found
    ) as chosen

{% endif -%}
select
    (
        select count()
        from {{ relation }}
        where project_id = {{ project }} and {{ fits }}
    ) as size,
    {{ insights_person_columns() }}
from {{ relation }}
where
    project_id = {{ project }}
    and {{ fits }}
    {%- if after is not none %}
    and (last_seen_at, person_number) < {{ after }}
    {%- endif %}
order by last_seen_at desc, person_number desc
limit {{ limit }}
{%- endmacro -%}

{#- The numbers of those with an event in [start, end) that fits `condition`. Columns: actor (UInt32). Order: actor. -#}
{%- macro insights_persons_of_events(relation, project, start, end, condition) -%}
select distinct person_number as actor
from {{ relation }}
where
    project_id = {{ project }}
    and timestamp >= {{ start }}
    and timestamp < {{ end }}
    and ({{ condition }})
order by actor
{%- endmacro -%}

{%- macro insights_person_columns() -%}
person_number,
    person_id,
    user_id,
    is_identified,
    first_seen_at,
    last_seen_at,
    events,
    sessions,
    traits
{%- endmacro -%}

{#-
    One person of dim_persons: the one whom `condition` chooses, the latest seen of several. Beside the columns of a list:
    merged_user_ids (of users who were merged into this one, by `merges`, fct_merges) and anonymous_ids (of devices that were
    linked to this one, by `devices`, int_devices_linked; of an anonymous person its own), at most 1,000 of each; and
    latest_events, so many as `latest` says: (message_id, type, event, milliseconds since 1970, properties), the latest first.
-#}
{%- macro insights_person(persons, merges, devices, relation, project, condition, latest) -%}
with
    -- One value is looked up once, however often it stands there.
    (
        select groupArray((person_number, person_id, user_id))
        from (
            select
                person_number,
                person_id,
                user_id
            from {{ persons }}
            where project_id = {{ project }} and ({{ condition }})
            order by last_seen_at desc, person_number desc
            limit 1
        )
    ) as found

select
    {{ insights_person_columns() }},
    arraySort((
        select groupUniqArray(1000)(previous_id)
        from {{ merges }}
        where project_id = {{ project }} and is_merged and person_id in (select arrayJoin(found.2))
    )) as merged_user_ids,
    if(
        is_identified,
        arraySort((
            select groupUniqArray(1000)(anonymous_id)
            from {{ devices }}
            where project_id = {{ project }} and hasAny(links.2, arrayFilter(user -> user != '', found.3))
        )),
        [substring(person_id, 11)]
    ) as anonymous_ids,
    (
        select groupArray((message_id, type, event, toUnixTimestamp64Milli(timestamp), properties))
        from (
            select
                message_id,
                type,
                event,
                timestamp,
                properties
            from {{ insights_events_of_persons(relation, project, 'select arrayJoin(found.1)') | indent(12) }}
            order by timestamp desc, message_id desc
            limit {{ latest }}
        )
    ) as latest_events
from {{ persons }}
where project_id = {{ project }} and person_number in (select arrayJoin(found.1))
{%- endmacro -%}

{#-
    The events of few persons. The limit leaves none out and keeps this a query of its own: beside an order and a limit of
    others ClickHouse looks for the latest of all events before it looks whose they are, and reads the message ids of all.
-#}
{%- macro insights_events_of_persons(relation, project, numbers) -%}
(
    select *
    from {{ relation }}
    where project_id = {{ project }} and person_number in ({{ numbers }})
    limit 18446744073709551615
) as theirs
{%- endmacro -%}

{#-
    The values of `value`, Nullable(String), among the events of fct_events in [start, end) that fit `condition`; without a
    range, among the persons of dim_persons. Missing ones are left out. Columns: value, events (null without a range), persons.
    Order: the most frequent first.
-#}
{%- macro insights_property_values(relation, project, value, condition, limit, start=none, end=none) -%}
select
    assumeNotNull(found_value) as value,
    {{ 'toNullable(count())' if start else 'null' }} as events,
    uniqExact(person_number) as persons
from (
    select
        {{ value }} as found_value,
        person_number
    from {{ relation }}
    where
        project_id = {{ project }}
        {%- if start %}
        and timestamp >= {{ start }}
        and timestamp < {{ end }}
        {%- endif %}
        and ({{ condition }})
) as found
where isNotNull(found_value)
group by found_value
order by {{ 'events desc, ' if start }}persons desc, value asc
limit {{ limit }}
{%- endmacro -%}

{#-
    The same of a column that a rollup knows, which has the columns project_id, event, event_date (Date32, in the project's
    zone), value, events and persons, AggregateFunction(groupBitmap, UInt32): of a range of whole days, and of events that
    differ by their names alone.
-#}
{%- macro insights_property_values_of_days(relation, project, condition, timezone, limit, start, end) -%}
select
    toString(found_value) as value,
    toNullable(sum(found.events)) as events,
    groupBitmapMerge(found.persons) as persons
from (
    select
        value as found_value,
        events,
        persons
    from {{ relation }}
    where
        project_id = {{ project }}
        and event_date >= {{ insights_bucket(start, 'day', timezone) }}
        and event_date <= {{ insights_last_bucket(end, 'day', timezone) }}
        and ({{ condition }})
        and value != ''
) as found
group by found_value
order by events desc, persons desc, value asc
limit {{ limit }}
{%- endmacro -%}
