{#-
    Activity: who did something, bucket by bucket. Retention, lifecycle, stickiness and active persons are questions on it.

    A relation of activity has the columns: the keys, bucket (as insights_bucket gives it) and actors,
    AggregateFunction(groupBitmap, UInt32): the numbers of those who did it. It may hold many rows of one bucket; they
    are merged, so nobody is counted twice. Whoever makes it decides what "it" is. The macros here make one from events
    and one from a rollup by day; any other relation of this shape will do. In both, the buckets that [start, end) touches
    are taken whole, and so many before as `before` says; a bound that is none is open.

    A macro that takes activity reads it once (twice with `keys`, the second time without the sets), so that a subquery
    may stand there. Persons are numbered densely, so the sets are small and fast; a hash would be neither. For actors
    without such a number see insights_numbered.
-#}

{#- Activity from events: `condition` says which count. Grain: one row per keys and bucket that has any. -#}
{%- macro insights_activity(
    relation, project, condition, interval, timezone, start=none, end=none, before='0', week_start='1', where='true',
    actor='person_number', keys=[]
) -%}
select
    {%- for key in keys %}
    {{ key }},
    {%- endfor %}
    {{ insights_bucket('timestamp', interval, timezone, week_start) }} as bucket,
    groupBitmapState({{ actor }}) as actors
from {{ relation }}
where
    project_id = {{ project }}
    and ({{ condition }})
    and ({{ where }})
    {%- if start is not none %}
    and timestamp >= {{ insights_bucket_start(
        insights_bucket_add(insights_bucket(start, interval, timezone, week_start), '-toInt32(' ~ before ~ ')', interval),
        interval,
        timezone
    ) }}
    {%- endif %}
    {%- if end is not none %}
    and timestamp < {{ insights_bucket_end(insights_last_bucket(end, interval, timezone, week_start), interval, timezone) }}
    {%- endif %}
group by {% for key in keys %}{{ key }}, {% endfor %}bucket
{%- endmacro -%}

{#-
    The same from a rollup with the columns project_id, event, event_date (Date32, in the project's zone) and a set of
    numbers: persons, AggregateFunction(groupBitmap, UInt32); `sets` names another one. `interval` is 'day', 'week' or
    'month'. `condition` and `where` are conditions on the rollup's columns. Grain: one row per row of the rollup.
-#}
{%- macro insights_activity_of_days(
    relation, project, condition, interval, timezone, start=none, end=none, before='0', week_start='1', where='true',
    sets='persons', keys=[]
) -%}
select
    {%- for key in keys %}
    {{ key }},
    {%- endfor %}
    {{ insights_date_bucket('event_date', interval, week_start) }} as bucket,
    {{ sets }} as actors
from {{ relation }}
where
    project_id = {{ project }}
    and ({{ condition }})
    and ({{ where }})
    {%- if start is not none %}
    and event_date >= {{ insights_bucket_add(
        insights_bucket(start, interval, timezone, week_start), '-toInt32(' ~ before ~ ')', interval
    ) }}
    {%- endif %}
    {%- if end is not none %}
    and event_date < {{ insights_bucket_add(insights_last_bucket(end, interval, timezone, week_start), '1', interval) }}
    {%- endif %}
{%- endmacro -%}

{#-
    Events with a column actor_number (UInt32): exact numbers for actors that have none of their own, such as groups.
    Pass it as `relation`, and actor_number as `actor`. `actor` is an expression over `relation`; its values are numbered
    in their order, over all the keys together, which costs one pass over the events that fit `where`.
-#}
{%- macro insights_numbered(relation, project, actor, where='true') -%}
(
    select
        events.*,
        numbered.actor_number as actor_number
    from (select *, {{ actor }} as actor_value from {{ relation }} where project_id = {{ project }} and ({{ where }})) as events
    inner join (
        {{ insights_actor_numbers(relation, project, actor, where) }}
    ) as numbered on events.actor_value = numbered.actor_value
)
{%- endmacro -%}

{#- The numbers that insights_numbered gives. Columns: actor_value, actor_number (UInt32). Grain: one row per actor. -#}
{%- macro insights_actor_numbers(relation, project, actor, where='true') -%}
select
    actor_value,
    toUInt32(row_number() over (order by actor_value) - 1) as actor_number
from (
    select distinct {{ actor }} as actor_value
    from {{ relation }}
    where project_id = {{ project }} and ({{ where }})
)
{%- endmacro -%}

{#- The bucket that holds a date (Date32); a day, week or month. -#}
{%- macro insights_date_bucket(date, interval, week_start='1') -%}
{%- if interval == 'day' -%}
{{ date }}
{%- elif interval == 'week' -%}
({{ date }} - toIntervalDay((toDayOfWeek({{ date }}) + 7 - {{ week_start }}) % 7))
{%- elif interval == 'month' -%}
dateTrunc('month', {{ date }})
{%- endif -%}
{%- endmacro -%}

{#- The last bucket that a range touches which ends before `end`. -#}
{%- macro insights_last_bucket(end, interval, timezone, week_start='1') -%}
{{ insights_bucket('(' ~ end ~ ' - toIntervalMillisecond(1))', interval, timezone, week_start) }}
{%- endmacro -%}

{#-
    The bucket that follows: the one that holds the instant at which `bucket` ends. After the eve of a day that a zone
    skipped, that is the day after it.
-#}
{%- macro insights_next_bucket(bucket, interval, timezone, week_start='1') -%}
{{ insights_bucket(insights_bucket_end(bucket, interval, timezone), interval, timezone, week_start) }}
{%- endmacro -%}

{#-
    The bucket that a row names by the instant of its beginning. An hour around a change of the clock by half an hour is
    named by when it would have begun, which lies in the hour before it.
-#}
{%- macro insights_named_bucket(at, interval, timezone, week_start='1') -%}
{%- if interval == 'hour' -%}
toDateTime64({{ at }}, 0, 'UTC')
{%- else -%}
{{ insights_bucket(at, interval, timezone, week_start) }}
{%- endif -%}
{%- endmacro -%}

{#- The bucket that has a number (see insights_bucket_number). -#}
{%- macro insights_bucket_of_number(number, interval) -%}
{%- if interval == 'hour' -%}
fromUnixTimestamp64Second(toInt64({{ number }}), 'UTC')
{%- elif interval == 'month' -%}
makeDate32(intDiv({{ number }} - 1, 12), ({{ number }} - 1) % 12 + 1, 1)
{%- else -%}
toDate32(toInt32({{ number }}))
{%- endif -%}
{%- endmacro -%}

{#- How far apart the numbers of two successive buckets are. -#}
{%- macro insights_bucket_step(interval) -%}
{{ {'hour': 3600, 'day': 1, 'week': 7, 'month': 1}[interval] }}
{%- endmacro -%}
