{#-
    The end of a query for retention, and what is made of its grid.

    From a CTE `reached` (the keys, start_value with a breakdown, bucket, period_index and persons, of which index 0 has
    the cohort's size) it goes on to the columns that insights_retention describes.
-#}
{%- macro insights_retention_grid(
    start, end, period, timezone, periods, week_start, now, keys, clock, return_rule, brackets, with_breakdown, top
) -%}
{%- set groups = keys + (['breakdown', 'breakdown_kind', 'breakdown_rank'] if with_breakdown else []) -%}
{%- set last_period -%}
{%- if return_rule == 'brackets' -%}
if(period_index = 0, 0, {{ brackets }}[period_index][2])
{%- else -%}
period_index
{%- endif -%}
{%- endset -%}
    {%- if with_breakdown %}
    sized as (
        select
            *,
            sumIf(persons, period_index = 0) over (
                partition by {% for key in keys %}{{ key }}, {% endfor %}start_value
            ) as entries_of_value
        from reached
    ),

    ranked as (
        select
            *,
            dense_rank() over (
                {% if keys %}partition by {{ keys | join(', ') }} {% endif -%}
                order by entries_of_value desc, start_value asc
            ) as place
        from sized
    ),
    {%- endif %}

    found as (
        select
            {%- for key in keys %}
            {{ key }},
            {%- endfor %}
            {%- if with_breakdown %}
            multiIf(place > {{ top }}, '(other)', start_value = '', '(none)', start_value) as breakdown,
            multiIf(place > {{ top }}, 'other', start_value = '', 'none', 'value') as breakdown_kind,
            toUInt32(least(place, {{ top }} + 1)) as breakdown_rank,
            {%- endif %}
            bucket,
            period_index,
            persons
        from {{ 'ranked' if with_breakdown else 'reached' }}
        {%- if not groups %}
        union all
        select
            bucket,
            toInt64(0) as period_index,
            toUInt64(0) as persons
        from ({{ insights_buckets(start, end, period, timezone, week_start) }}) as touched
        {%- endif %}
    ),

    cohorts as (
        select
            {%- for group in groups %}
            {{ group }},
            {%- endfor %}
            bucket,
            sumMap(map(period_index, persons)) as persons_by_index
        from found
        group by {% for group in groups %}{{ group }}, {% endfor %}bucket
    )

select
    {%- for group in groups %}
    {{ group }},
    {%- endfor %}
    {{ insights_bucket_start('bucket', period, timezone) }} as cohort,
    {{ insights_utc_offset_s('cohort', timezone) }} as utc_offset_s,
    period_index,
    persons_by_index[toInt64(period_index)] as persons,
    persons_by_index[toInt64(0)] as cohort_size,
    {% if clock == 'rolling' -%}
    {#- The last one in the cohort may have entered just before its bucket ended, or the range. #}
    toUnixTimestamp64Milli(least(
        toDateTime64({{ insights_bucket_end('bucket', period, timezone) }}, 3, 'UTC'), toDateTime64({{ end }}, 3, 'UTC')
    )) + (toInt64({{ last_period }}) + 1) * {{ insights_period_ms(period) }}
    <= toUnixTimestamp64Milli(toDateTime64({{ now }}, 3, 'UTC'))
    {%- else -%}
    {{ insights_bucket_end(insights_bucket_add('bucket', last_period, period), period, timezone) }} <= {{ now }}
    {%- endif %} as is_complete
from cohorts
array join range(
    toUInt32(0), toUInt32({{ 'length(' ~ brackets ~ ')' if return_rule == 'brackets' else periods }} + 1)
) as period_index
order by {% for key in keys %}{{ key }}, {% endfor %}{{ 'breakdown_rank, ' if with_breakdown }}cohort, period_index
{%- endmacro -%}

{#-
    The averages of a retention grid by period. Cells that are not complete are left out, and so are empty cohorts.

    Columns: the keys, period_index, cohorts (how many are averaged), persons and cohort_size (summed over them),
    weighted_average (persons / cohort_size: every person weighs the same) and simple_average (every cohort weighs the
    same); both are null where there is no cohort. Grain: one row per keys and period. Order: keys, period_index.
    `grid` is a relation with the columns of insights_retention; `keys` are columns by which it is told apart: those of the
    grid, and breakdown_rank, breakdown_kind, breakdown of one with a breakdown.
-#}
{%- macro insights_retention_averages(grid, keys=[]) -%}
select
    {%- for key in keys %}
    {{ key }},
    {%- endfor %}
    grid.period_index as period_index,
    countIf(grid.is_complete and grid.cohort_size > 0) as cohorts,
    sumIf(grid.persons, grid.is_complete) as persons,
    sumIf(grid.cohort_size, grid.is_complete) as cohort_size,
    sumIf(grid.persons, grid.is_complete) / nullIf(sumIf(grid.cohort_size, grid.is_complete), 0) as weighted_average,
    avgOrNullIf(grid.persons / grid.cohort_size, grid.is_complete and grid.cohort_size > 0) as simple_average
from ({{ grid }}) as grid
group by {% for key in keys %}{{ key }}, {% endfor %}grid.period_index
order by {% for key in keys %}{{ key }}, {% endfor %}period_index
{%- endmacro -%}
