{#-
    How many persons were active in exactly k of the n buckets that [start, end) touches.

    Columns: buckets (k, UInt32), persons (active in exactly k), persons_at_least (in k or more). Grain: one row per k from
    1 to n; with `keys`, only where somebody was active in k or more. Order: keys, buckets. Buckets are taken whole; the
    one that has not ended yet is one of the n.
    `activity` is a relation of activity (see activity.sql); `interval` is 'hour', 'day', 'week' or 'month'.
-#}
{%- macro insights_stickiness(activity, start, end, interval, timezone, week_start='1', keys=[]) -%}
with
    persons as (
        {{ insights_stickiness_counts(activity, start, end, interval, timezone, week_start, keys) | indent(8) }}
    ),

    counted as (
        select
            {%- for key in keys %}
            {{ key }},
            {%- endfor %}
            active_buckets,
            count() as persons
        from persons
        group by {% for key in keys %}{{ key }}, {% endfor %}active_buckets
    ),

    {%- if keys %}
    filled as (
        select
            {%- for key in keys %}
            {{ key }},
            {%- endfor %}
            arrayJoin(range(toUInt64(1), max(active_buckets) + 1)) as k,
            mapFromArrays(groupArray(active_buckets), groupArray(persons))[k] as persons
        from counted
        group by {{ keys | join(', ') }}
    ),
    {%- else %}
    filled as (
        select
            k,
            sum(persons) as persons
        from (
            select
                active_buckets as k,
                persons
            from counted
            union all
            select
                row_number() over () as k,
                toUInt64(0) as persons
            from ({{ insights_buckets(start, end, interval, timezone, week_start) }}) as touched
        ) as found
        group by k
    ),
    {%- endif %}

    summed as (
        select
            {%- for key in keys %}
            {{ key }},
            {%- endfor %}
            k,
            persons,
            sum(persons) over (
                {% if keys %}partition by {{ keys | join(', ') }} {% endif -%}
                order by k desc rows between unbounded preceding and current row
            ) as persons_at_least
        from filled
    )

select
    {%- for key in keys %}
    {{ key }},
    {%- endfor %}
    toUInt32(k) as buckets,
    persons,
    persons_at_least
from summed
order by {% for key in keys %}{{ key }}, {% endfor %}buckets
{%- endmacro -%}

{#-
    The numbers of those who were active in exactly `buckets` of the buckets, or with at_least=true in so many or more.
    Columns: actor (UInt32). Order: actor.
-#}
{%- macro insights_stickiness_persons(
    activity, start, end, interval, timezone, buckets, week_start='1', at_least=false
) -%}
select actor
from (
    {{ insights_stickiness_counts(activity, start, end, interval, timezone, week_start, []) | indent(4) }}
)
where active_buckets {{ '>=' if at_least else '=' }} {{ buckets }}
order by actor
{%- endmacro -%}

{#- In how many of the buckets each actor was active. Columns: keys, actor, active_buckets. -#}
{%- macro insights_stickiness_counts(activity, start, end, interval, timezone, week_start, keys) -%}
select
    {%- for key in keys %}
    {{ key }},
    {%- endfor %}
    actor,
    count() as active_buckets
from (
    select
        {%- for key in keys %}
        {{ key }},
        {%- endfor %}
        bucket,
        arrayJoin(bitmapToArray(groupBitmapMergeState(actors))) as actor
    from ({{ activity }}) as activity
    where
        bucket >= {{ insights_bucket(start, interval, timezone, week_start) }}
        and bucket <= {{ insights_last_bucket(end, interval, timezone, week_start) }}
        and {{ start }} < {{ end }}
    group by {% for key in keys %}{{ key }}, {% endfor %}bucket
) as sets
group by {% for key in keys %}{{ key }}, {% endfor %}actor
{%- endmacro -%}
