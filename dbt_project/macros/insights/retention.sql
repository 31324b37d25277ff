{#-
    How many persons of a cohort came back, asked of events. Activity answers the same sooner (retention_of_activity.sql)
    where buckets are all there is to know: calendar clock, no breakdown, a range of whole days (of hours: of whole hours).

    Cohort: `first_time`, a person enters once, at the first event ever that matches `start_condition`, if it lies in
    [start, end); `recurring`, a person enters in each bucket with such an event in [start, end), at the first one there.
    Clock: `calendar`, buckets in `timezone`; `rolling`, periods of fixed length (hour 1 h, day 24 h, week 7 × 24 h, month
    30 × 24 h) from the person's own entry. Rolling cohorts too are named by the calendar bucket of the entry.
    Return rule: `on`, an event that matches `return_condition` in exactly that period; `on_or_after`, in it or any later
    one; `brackets`, in any period of a bracket. Period 0 is the cohort itself; returns are looked for in periods from 1.
    Returns may lie after `end`; only entries are limited to the range.

    Columns: cohort (DateTime64(0, 'UTC'), the instant at which the cohort's bucket begins), utc_offset_s (of the zone at
    that instant), period_index (0 … `periods`, or the place of the bracket from 1), persons, cohort_size, is_complete (at
    `now`, the period has ended for everyone in the cohort; of a bracket, its last period). Grain: one row per cohort
    bucket that the range touches and period; empty cohorts are there with zeros. Order: cohort, period_index.

    With `breakdown`, an expression over the event by which a person entered, three columns come before these: breakdown
    (text), breakdown_kind ('value', 'none' shown as `(none)`, 'other' shown as `(other)`: a value may read like those
    two) and breakdown_rank (1 … `top` by entries, then by text; `top` + 1 is the rest); order: breakdown_rank first. Of
    events of one instant the one sent first is the entry.

    `period` is 'hour', 'day', 'week' or 'month'; `cohort`, `clock` and `return_rule` are names; `brackets` is an SQL array
    of [first, last] periods, both included, such as [[1, 1], [2, 7]], and then `periods` does not matter. The others are
    SQL expressions. `keys` are columns by which everything is told apart and which come first in the result: a model over
    many projects passes ['project_id'] as keys and project_id as the project. With keys or a breakdown, cohorts without
    persons have no rows: the stray early event of one project must not make rows for the days since then in all the
    others.
-#}
{%- macro insights_retention(
    relation, project, start_condition, return_condition, start, end, period, timezone, periods, week_start='1',
    now='now64(3)', keys=[], where='true', actor='person_number', cohort='first_time', clock='calendar', return_rule='on',
    brackets='[]', breakdown=none, top='10'
) -%}
{%- set values = ['start_value'] if breakdown is not none else [] -%}
with
    {{ insights_retention_entries(
        relation, project, start_condition, return_condition, start, end, period, timezone, periods, week_start, keys,
        where, actor, cohort, clock, return_rule, brackets, breakdown
    ) }},

    reached as (
        select
            {%- for key in keys + values %}
            {{ key }},
            {%- endfor %}
            bucket,
            period_index,
            count() as persons
        from entries
        array join arrayPushFront(returned, toInt64(0)) as period_index
        group by {% for key in keys + values %}{{ key }}, {% endfor %}bucket, period_index
    ),

    {{ insights_retention_grid(
        start, end, period, timezone, periods, week_start, now, keys, clock, return_rule, brackets, breakdown is not none, top
    ) }}
{%- endmacro -%}

{#-
    Who stands behind one cell of insights_retention. Columns: actor. Order: actor.
    `at` names the cohort as the column cohort does, `period_index` the column. With a breakdown, `value_condition` chooses by
    start_value, the text of the value, empty when it is missing: of `(other)` it excludes those that are shown.
-#}
{%- macro insights_retention_persons(
    relation, project, start_condition, return_condition, start, end, period, timezone, periods, at, period_index,
    week_start='1', where='true', actor='person_number', cohort='first_time', clock='calendar', return_rule='on',
    brackets='[]', breakdown=none, value_condition='true'
) -%}
with
    {{ insights_retention_entries(
        relation, project, start_condition, return_condition, start, end, period, timezone, periods, week_start, [],
        where, actor, cohort, clock, return_rule, brackets, breakdown
    ) }}

select actor
from entries
where
    bucket = {{ insights_named_bucket(at, period, timezone, week_start) }}
    and has(arrayPushFront(returned, toInt64(0)), toInt64({{ period_index }}))
    and ({{ value_condition }})
order by actor
{%- endmacro -%}

{#-
    CTEs up to `entries`: the keys, actor, start_value (with a breakdown), bucket (of the entry) and returned (the period
    indexes from 1 in which the actor came back).
-#}
{%- macro insights_retention_entries(
    relation, project, start_condition, return_condition, start, end, period, timezone, periods, week_start, keys, where,
    actor, cohort, clock, return_rule, brackets, breakdown
) -%}
{%- set bucket = insights_bucket('timestamp', period, timezone, week_start) -%}
{%- set in_range = 'timestamp >= ' ~ start ~ ' and timestamp < ' ~ end -%}
{%- set order = '(timestamp, received_at, sequence, message_id)' -%}
{%- if cohort == 'first_time' -%}
    entered as (
        select
            {%- for key in keys %}
            {{ key }},
            {%- endfor %}
            {{ actor }} as actor,
            minIf(timestamp, {{ start_condition }}) as entered_at,
            {%- if breakdown is not none %}
            argMinIf(ifNull({{ breakdown }}, ''), {{ order }}, {{ start_condition }}) as start_value,
            {%- endif %}
            {% if clock == 'rolling' -%}
            groupUniqArrayIf(toUnixTimestamp64Milli(timestamp), {{ return_condition }})
            {%- else -%}
            groupUniqArrayIf({{ insights_bucket_number(bucket, period) }}, {{ return_condition }})
            {%- endif %} as return_numbers
        from {{ relation }}
        where project_id = {{ project }} and ({{ where }}) and (({{ start_condition }}) or ({{ return_condition }}))
        group by {% for key in keys %}{{ key }}, {% endfor %}actor
        having countIf({{ start_condition }}) > 0 and entered_at >= {{ start }} and entered_at < {{ end }}
    ),
{%- else -%}
    actor_buckets as (
        select
            {%- for key in keys %}
            {{ key }},
            {%- endfor %}
            {{ actor }} as actor,
            {{ bucket }} as active_bucket,
            countIf(({{ start_condition }}) and {{ in_range }}) > 0 as is_entry,
            minIf(timestamp, ({{ start_condition }}) and {{ in_range }}) as first_at,
            {% if breakdown is not none -%}
            argMinIf(ifNull({{ breakdown }}, ''), {{ order }}, ({{ start_condition }}) and {{ in_range }})
            {%- else -%}
            ''
            {%- endif %} as first_value,
            {% if clock == 'rolling' -%}
            groupUniqArrayIf(toUnixTimestamp64Milli(timestamp), {{ return_condition }})
            {%- else -%}
            if(countIf({{ return_condition }}) > 0, [{{ insights_bucket_number('active_bucket', period) }}], [])
            {%- endif %} as numbers
        from {{ relation }}
        where
            project_id = {{ project }}
            and timestamp >= {{ start }}
            and ({{ where }})
            and (({{ start_condition }}) or ({{ return_condition }}))
        group by {% for key in keys %}{{ key }}, {% endfor %}actor, active_bucket
    ),

    actors as (
        select
            {%- for key in keys %}
            {{ key }},
            {%- endfor %}
            actor,
            groupArrayIf((first_at, first_value), is_entry) as actor_entries,
            groupArrayArray(numbers) as return_numbers
        from actor_buckets
        group by {% for key in keys %}{{ key }}, {% endfor %}actor
        having notEmpty(actor_entries)
    ),

    entered as (
        select
            {%- for key in keys %}
            {{ key }},
            {%- endfor %}
            actor,
            entry.1 as entered_at,
            entry.2 as start_value,
            return_numbers
        from actors
        array join actor_entries as entry
    ),
{%- endif %}

    returns as (
        select
            {%- for key in keys %}
            {{ key }},
            {%- endfor %}
            actor,
            {%- if breakdown is not none %}
            start_value,
            {%- endif %}
            {{ insights_bucket('entered_at', period, timezone, week_start) }} as bucket,
            {% if clock == 'rolling' -%}
            toUnixTimestamp64Milli(entered_at)
            {%- else -%}
            {{ insights_bucket_number('bucket', period) }}
            {%- endif %} as entry_number,
            arrayFilter(
                distance -> distance > 0,
                arrayMap(
                    return_number -> {% if clock == 'rolling' -%}
                    intDiv(return_number - entry_number, {{ insights_period_ms(period) }})
                    {%- else -%}
                    {{ insights_bucket_distance('entry_number', 'return_number', period) }}
                    {%- endif %},
                    return_numbers
                )
            ) as distances
        from entered
    ),

    entries as (
        select
            {%- for key in keys %}
            {{ key }},
            {%- endfor %}
            actor,
            {%- if breakdown is not none %}
            start_value,
            {%- endif %}
            bucket,
            {% if return_rule == 'on' -%}
            arrayDistinct(arrayFilter(distance -> distance <= {{ periods }}, distances))
            {%- elif return_rule == 'on_or_after' -%}
            range(toInt64(1), least(arrayMax(distances), toInt64({{ periods }})) + 1)
            {%- elif return_rule == 'brackets' -%}
            arrayFilter(
                place -> arrayExists(
                    distance -> distance >= {{ brackets }}[place][1] and distance <= {{ brackets }}[place][2], distances
                ),
                range(toInt64(1), toInt64(length({{ brackets }})) + 1)
            )
            {%- endif %} as returned
        from returns
    )
{%- endmacro -%}

{#- The length of a rolling period, in milliseconds. -#}
{%- macro insights_period_ms(period) -%}
{{ {'hour': 1, 'day': 24, 'week': 7 * 24, 'month': 30 * 24}[period] * 60 * 60 * 1000 }}
{%- endmacro -%}
