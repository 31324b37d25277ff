{#-
    How many persons of a cohort came back, by calendar bucket.

    Cohort: `first_time`, a person enters once, at the first event ever that matches `start_condition`, if it lies in
    [start, end). Clock: calendar buckets in `timezone`. Return rule: `on`, an event that matches `return_condition` in
    exactly that bucket. Returns may lie after `end`; only entries are limited to the window.

    Columns: cohort (DateTime64(0, 'UTC'), the instant at which the cohort's bucket begins), utc_offset_s (of the zone at
    that instant), period_index (0 … `periods`; 0 is the cohort itself), persons, cohort_size, is_complete (the bucket has
    ended at `now`). Grain: one row per cohort bucket that the window touches and period; empty cohorts are there with
    zeros. Order: cohort, period_index.
    `period` is 'hour', 'day', 'week' or 'month'; the others are SQL expressions. `keys` are columns by which everything is
    told apart and which come first in the result: a model over many projects passes ['project_id'] as keys and project_id
    as the project. With keys, cohorts without persons have no rows: the stray early event of one project must not make
    rows for the days since then in all the others.
-#}
{%- macro insights_retention(
    relation, project, start_condition, return_condition, start, end, period, timezone, periods, week_start='1',
    now='now64(3)', keys=[]
) -%}
with
    persons as (
        select
            {%- for key in keys %}
            {{ key }},
            {%- endfor %}
            person_id,
            minIf(timestamp, {{ start_condition }}) as entered_at,
            groupUniqArrayIf(
                {{ insights_bucket_number(insights_bucket('timestamp', period, timezone, week_start), period) }},
                {{ return_condition }}
            ) as return_numbers
        from {{ relation }}
        where project_id = {{ project }} and (({{ start_condition }}) or ({{ return_condition }}))
        group by {% for key in keys %}{{ key }}, {% endfor %}person_id
        having countIf({{ start_condition }}) > 0 and entered_at >= {{ start }} and entered_at < {{ end }}
    ),

    entered as (
        select
            {%- for key in keys %}
            {{ key }},
            {%- endfor %}
            {{ insights_bucket('entered_at', period, timezone, week_start) }} as bucket,
            {{ insights_bucket_number('bucket', period) }} as entry_number,
            return_numbers
        from persons
    ),

    reached as (
        select
            {%- for key in keys %}
            {{ key }},
            {%- endfor %}
            bucket,
            arrayJoin(
                arrayPushFront(
                    arrayFilter(
                        distance -> distance > 0 and distance <= {{ periods }},
                        arrayMap(
                            return_number -> {{ insights_bucket_distance('entry_number', 'return_number', period) }},
                            return_numbers
                        )
                    ),
                    toInt64(0)
                )
            ) as period_index
        from entered
    ),

    cells as (
        select
            {%- for key in keys %}
            {{ key }},
            {%- endfor %}
            bucket,
            period_index,
            count() as persons
        from reached
        group by {% for key in keys %}{{ key }}, {% endfor %}bucket, period_index
        union all
        select
            {%- for key in keys %}
            {{ key }},
            {%- endfor %}
            bucket,
            arrayJoin(range(toInt64({{ periods }}) + 1)) as period_index,
            toUInt64(0) as persons
        from (
            {%- if keys %}
            select distinct {{ keys | join(', ') }}, bucket from entered
            {%- else %}
            {{ insights_buckets(start, end, period, timezone, week_start) }}
            {%- endif %}
        ) as buckets
    ),

    summed as (
        select
            {%- for key in keys %}
            {{ key }},
            {%- endfor %}
            bucket,
            period_index,
            sum(persons) as persons
        from cells
        group by {% for key in keys %}{{ key }}, {% endfor %}bucket, period_index
    )

select
    {%- for key in keys %}
    {{ key }},
    {%- endfor %}
    {{ insights_bucket_start('bucket', period, timezone) }} as cohort,
    {{ insights_utc_offset_s('cohort', timezone) }} as utc_offset_s,
    toUInt32(period_index) as period_index,
    persons,
    max(if(period_index = 0, persons, 0)) over (partition by {% for key in keys %}{{ key }}, {% endfor %}bucket) as cohort_size,
    {{ insights_bucket_end(insights_bucket_add('bucket', 'period_index', period), period, timezone) }} <= {{ now }}
        as is_complete
from summed
order by {% for key in keys %}{{ key }}, {% endfor %}cohort, period_index
{%- endmacro -%}
