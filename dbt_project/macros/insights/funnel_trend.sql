{#-
    How a funnel converts over time, by the calendar bucket in which the counted attempt's entry lies.

    Columns: the keys; with a breakdown breakdown and breakdown_kind; bucket and bucket_end (DateTime64(0, 'UTC'), the
    instants at which the bucket begins and ends in `timezone`), utc_offset_s (of the zone when it begins), step, persons
    (who reached it, of those who entered in the bucket), incomplete_persons (of them: those whose window has not closed at
    `now`). The conversion from step i to j is persons at j by persons at i; a bucket without entries has none.
    Grain: a row per bucket that [start, end) touches and step; with keys or a breakdown only for those that have an entry.
    Order: the keys, breakdown_kind, breakdown, bucket, step.
    Arguments: `interval` as in calendar.sql, the SQL expressions `timezone` and `week_start`, and those of
    insights_funnel_attempts in funnel_attempts.sql. An actor counts in one bucket (with a breakdown in one for each value).
-#}
{%- macro insights_funnel_trend(
    relation, project, steps, start, end, window_ms, interval, timezone, week_start='1', keys=[], breakdown=none,
    now='now64(3)'
) -%}
{%- set n = steps | length -%}
{%- set cells = keys + (['breakdown', 'breakdown_kind'] if breakdown is not none else []) -%}
with
    attempts as (
        {{ insights_funnel_attempts(
            relation, project, steps, start, end, window_ms, keys=keys, breakdown=breakdown, now=now, **kwargs
        ) | indent(8) }}
    ),

    entered as (
        select
            {%- for cell in cells %}
            {{ cell }},
            {%- endfor %}
            {{ insights_bucket("fromUnixTimestamp64Milli(steps_ms[1], 'UTC')", interval, timezone, week_start) }}
                as bucket,
            length(steps_ms) as steps_reached,
            steps_ms[1] + {{ window_ms }} >= toUnixTimestamp64Milli({{ now }}) as is_incomplete
        from attempts
    ),

    counted as (
        select
            {%- for cell in cells %}
            {{ cell }},
            {%- endfor %}
            bucket,
            -- For each step: how many reached it, and how many of these are incomplete.
            sumForEach(arrayMap(step -> toUInt64(step <= steps_reached), range(1, {{ n + 1 }}))) as persons,
            sumForEach(arrayMap(step -> toUInt64(step <= steps_reached and is_incomplete), range(1, {{ n + 1 }})))
                as incomplete_persons
        from entered
        group by {% for cell in cells %}{{ cell }}, {% endfor %}bucket
    ),

    {%- if cells %}

    -- A bucket without entries is there with zeros. To ask for the cells again would compute the attempts twice.
    gathered as (
        select
            {{ cells | join(', ') }},
            arrayJoin(
                arrayConcat(
                    groupArray((bucket, persons, incomplete_persons)),
                    arrayMap(
                        bucket -> (
                            bucket,
                            arrayWithConstant({{ n }}, toUInt64(0)),
                            arrayWithConstant({{ n }}, toUInt64(0))
                        ),
                        (
                            select groupArray(bucket)
                            from (
                                {{ insights_buckets(start, end, interval, timezone, week_start) | indent(32) }}
                            ) as buckets
                        )
                    )
                )
            ) as found
        from counted
        group by {{ cells | join(', ') }}
    ),

    filled as (
        select
            {{ cells | join(', ') }},
            found.1 as bucket,
            found.2 as persons,
            found.3 as incomplete_persons
        from gathered
    )
    {%- else %}

    filled as (
        select
            bucket,
            persons,
            incomplete_persons
        from counted
        union all
        -- A bucket without entries is there with zeros.
        select
            bucket,
            arrayWithConstant({{ n }}, toUInt64(0)) as persons,
            arrayWithConstant({{ n }}, toUInt64(0)) as incomplete_persons
        from (
            {{ insights_buckets(start, end, interval, timezone, week_start) | indent(12) }}
        ) as buckets
    )
    {%- endif %}

select
    {%- for cell in cells %}
    {{ cell }},
    {%- endfor %}
    {{ insights_bucket_start('filled.bucket', interval, timezone) }} as bucket,
    {{ insights_bucket_end('filled.bucket', interval, timezone) }} as bucket_end,
    {{ insights_utc_offset_s(insights_bucket_start('filled.bucket', interval, timezone), timezone) }} as utc_offset_s,
    toUInt32(step) as step,
    sum(filled.persons[step]) as persons,
    sum(filled.incomplete_persons[step]) as incomplete_persons
from filled
array join range(1, {{ n + 1 }}) as step
group by {% for cell in cells %}{{ cell }}, {% endfor %}filled.bucket, step
order by {% for key in keys %}{{ key }}, {% endfor -%}
    {%- if breakdown is not none %}breakdown_kind, breakdown, {% endif %}bucket, step
{%- endmacro -%}
