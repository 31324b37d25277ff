{#-
    insights_retention on the calendar clock, asked of activity (see activity.sql): the same columns, the same figures.

    `starts` and `returns` are relations of activity in buckets of `period`, of those who did the one and the other. First
    time means first in all of `starts`, so for that it reaches back to the first event; `returns` reaches from the range
    to now. Of a bucket that [start, end) cuts, `starts` holds what lies in the range: part of a bucket cannot be cut out
    of its set, and whoever makes the sets sees to it, as insights_retention_starts_of_days does for whole days. The rest
    is as in insights_retention; there is no rolling clock and no breakdown. (A property that a person keeps may be one of
    the `keys`.)
-#}
{%- macro insights_retention_of_activity(
    starts, returns, start, end, period, timezone, periods, week_start='1', now='now64(3)', keys=[], cohort='first_time',
    return_rule='on', brackets='[]'
) -%}
{#- Buckets of hours lie on several grids where clocks change by less than an hour: the distance is rounded down. -#}
{%- set merges = return_rule == 'brackets' or (period == 'hour' and return_rule == 'on') -%}
with
    cohort_sets as (
        {{ insights_retention_cohort_sets(
            starts,
            insights_bucket(start, period, timezone, week_start),
            insights_last_bucket(end, period, timezone, week_start),
            period,
            keys,
            cohort,
        ) | indent(8) }}
    ),

    -- One row per cohort and set of returns that it is to be compared with.
    asked as (
        select
            {%- for key in keys %}
            {{ key }},
            {%- endfor %}
            1 as one,
            bucket,
            members,
            toInt64(pair.1) as period_index,
            toInt64({{ insights_bucket_number('bucket', period) }})
            + toInt64(pair.2) * {{ insights_bucket_step(period) }} as return_number
        from (
            select *
            from cohort_sets
            where
                {{ start }} < {{ end }}
                {%- if keys %}
                -- Cohorts of nobody are rows only where there is one calendar.
                and bitmapCardinality(members) > 0
                {%- endif %}
        ) as cohort_sets
        {% if return_rule == 'brackets' -%}
        array join arrayPushFront(
            arrayFlatten(arrayMap(
                (bracket, place) -> arrayMap(
                    distance -> (toInt64(place), toInt64(distance)),
                    range(greatest(toInt64(bracket[1]), 1), toInt64(bracket[2]) + 1)
                ),
                {{ brackets }},
                arrayEnumerate({{ brackets }})
            )),
            (toInt64(0), toInt64(0))
        ) as pair
        {%- else -%}
        array join arrayMap(distance -> (distance, distance), range(toInt64({{ periods }}) + 1)) as pair
        {%- endif %}
    ),

    return_sets as (
        select
            {%- for key in keys %}
            {{ key }},
            {%- endfor %}
            toInt64({{ insights_bucket_number('bucket', period) }})
            {%- if merges and period == 'hour' %} - arrayJoin([0, 900, 1800, 2700]){% endif %} as return_number,
            groupBitmapMergeState(actors) as actors
        from ({{ returns }}) as returns
        where bucket > {{ insights_bucket(start, period, timezone, week_start) }}
        group by {% for key in keys %}{{ key }}, {% endfor %}return_number
    ),

    {%- if return_rule == 'on_or_after' %}

    back as (
        select
            {%- for key in keys %}
            {{ key }},
            {%- endfor %}
            1 as one,
            return_number,
            groupBitmapMergeState(actors) over (
                {% if keys %}partition by {{ keys | join(', ') }} {% endif -%}
                order by return_number desc rows between unbounded preceding and current row
            ) as actors
        from return_sets
    ),
    {%- else %}

    back as (
        select
            {%- for key in keys %}
            {{ key }},
            {%- endfor %}
            1 as one,
            return_number,
            actors
        from return_sets
    ),
    {%- endif %}

    reached as (
        select
            {%- for key in keys %}
            asked.{{ key }} as {{ key }},
            {%- endfor %}
            asked.bucket as bucket,
            asked.period_index as period_index,
            {% if merges -%}
            groupBitmapMerge(
                if(asked.period_index = 0, asked.members, bitmapAnd(asked.members, back.actors))
            )
            {%- else -%}
            if(
                asked.period_index = 0,
                bitmapCardinality(asked.members),
                bitmapAndCardinality(asked.members, back.actors)
            )
            {%- endif %} as persons
        from asked
        {{ 'asof ' if return_rule == 'on_or_after' }}left join back
            on
                asked.one = back.one
                {%- for key in keys %}
                and asked.{{ key }} = back.{{ key }}
                {%- endfor %}
                and asked.return_number {{ '<=' if return_rule == 'on_or_after' else '=' }} back.return_number
        {%- if merges %}
        group by {% for key in keys %}{{ key }}, {% endfor %}bucket, period_index
        {%- endif %}
    ),

    {{ insights_retention_grid(
        start, end, period, timezone, periods, week_start, now, keys, 'calendar', return_rule, brackets, false, '0'
    ) }}
{%- endmacro -%}

{#-
    Activity for `starts`, from a rollup by day as insights_activity_of_days takes it, of a range [start, end) of whole
    days: what a bucket at its ends holds of other days is not in its set. For first-time cohorts all days before the range
    are one bucket, the last one before its first. Grain: one row per row of the rollup.
-#}
{%- macro insights_retention_starts_of_days(
    relation, project, condition, start, end, period, timezone, week_start='1', where='true', sets='persons', keys=[],
    cohort='first_time'
) -%}
{%- set first_day = insights_bucket(start, 'day', timezone) -%}
select
    {%- for key in keys %}
    {{ key }},
    {%- endfor %}
    {% if cohort == 'first_time' -%}
    if(
        event_date < {{ first_day }},
        {{ insights_bucket_add(insights_bucket(start, period, timezone, week_start), '-1', period) }},
        {{ insights_date_bucket('event_date', period, week_start) }}
    )
    {%- else -%}
    {{ insights_date_bucket('event_date', period, week_start) }}
    {%- endif %} as bucket,
    {{ sets }} as actors
from {{ relation }}
where
    project_id = {{ project }}
    and ({{ condition }})
    and ({{ where }})
    {%- if cohort == 'recurring' %}
    and event_date >= {{ first_day }}
    {%- endif %}
    and event_date <= {{ insights_last_bucket(end, 'day', timezone) }}
{%- endmacro -%}

{#-
    The numbers of those who stand behind one cell of insights_retention_of_activity. Columns: actor (UInt32).
    Order: actor. `at` names the cohort as the column cohort does. `first_distance` and `last_distance` are the periods in
    which a return counts: both the column's index for `on`, the two ends of a bracket; last_distance none has no end,
    for `on_or_after`; first_distance none asks for the whole cohort.
-#}
{%- macro insights_retention_persons_of_activity(
    starts, returns, at, period, timezone, first_distance=none, last_distance=none, week_start='1', cohort='first_time'
) -%}
{%- set bucket = insights_named_bucket(at, period, timezone, week_start) -%}
{%- set distance = insights_bucket_distance(
    insights_bucket_number(bucket, period), insights_bucket_number('bucket', period), period
) -%}
with
    cohort_sets as (
        {{ insights_retention_cohort_sets(starts, bucket, bucket, period, [], cohort) | indent(8) }}
    )

select arrayJoin(bitmapToArray(
    {%- if first_distance is none %}
    members
    {%- else %}
    bitmapAnd(members, back)
    {%- endif %}
)) as actor
from cohort_sets
{%- if first_distance is not none %}
cross join (
    select groupBitmapMergeState(actors) as back
    from ({{ returns }}) as returns
    where
        {{ distance }} >= greatest({{ first_distance }}, 1)
        {%- if last_distance is not none %}
        and {{ distance }} <= {{ last_distance }}
        {%- endif %}
) as returned
{%- endif %}
order by actor
{%- endmacro -%}

{#- Cohorts of the buckets from `first` to `last` that have starts. Columns: keys, bucket, members. -#}
{%- macro insights_retention_cohort_sets(starts, first, last, period, keys, cohort) -%}
select
    {%- for key in keys %}
    {{ key }},
    {%- endfor %}
    bucket,
    {% if cohort == 'first_time' -%}
    bitmapAndnot(actors, groupBitmapMergeState(actors) over (
        {% if keys %}partition by {{ keys | join(', ') }} {% endif -%}
        order by bucket rows between unbounded preceding and 1 preceding
    ))
    {%- else -%}
    actors
    {%- endif %} as members
from (
    select
        {%- for key in keys %}
        {{ key }},
        {%- endfor %}
        {% if cohort == 'first_time' -%}
        {#- All before the range is one set: whoever is in it does not enter any more. #}
        greatest(starts.bucket, {{ insights_bucket_add(first, '-1', period) }})
        {%- else -%}
        starts.bucket
        {%- endif %} as bucket,
        groupBitmapMergeState(starts.actors) as actors
    from ({{ starts }}) as starts
    where
        starts.bucket <= {{ last }}
        {%- if cohort == 'recurring' %}
        and starts.bucket >= {{ first }}
        {%- endif %}
    group by {% for key in keys %}{{ key }}, {% endfor %}bucket
) as sets
{%- if cohort == 'first_time' %}
qualify bucket >= {{ first }}
{%- endif %}
{%- endmacro -%}
