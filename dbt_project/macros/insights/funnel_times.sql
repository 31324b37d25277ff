{#-
    How long actors took from one step of a funnel to another, as a histogram.

    Columns: the keys; with a breakdown breakdown and breakdown_kind; from_ms and to_ms (Int64, the bin is [from_ms,
    to_ms)), persons. Grain: a row per bin between the shortest and the longest time, empty ones too; nobody converted: no
    rows. All keys and values have the same bins, and each has all of them. Order: the keys, breakdown_kind, breakdown,
    from_ms.
    `from_step` and `to_step` are numbers of steps (Jinja's; none is the last). `bin_ms` is the width of a bin, which then
    lies at a multiple of it; without it `bins` equal bins, of whole milliseconds, begin at the shortest time. Both are SQL
    expressions. The others: those of insights_funnel_attempts in funnel_attempts.sql.
-#}
{%- macro insights_funnel_times(
    relation, project, steps, start, end, window_ms, from_step=1, to_step=none, bin_ms=none, bins='20', keys=[],
    breakdown=none
) -%}
{%- set to_step = steps | length if to_step is none else to_step -%}
{%- set cells = keys + (['breakdown', 'breakdown_kind'] if breakdown is not none else []) -%}
with
    attempts as (
        {{ insights_funnel_attempts(
            relation, project, steps, start, end, window_ms, keys=keys, breakdown=breakdown, **kwargs
        ) | indent(8) }}
    ),

    waited as (
        select
            {%- for cell in cells %}
            {{ cell }},
            {%- endfor %}
            greatest(steps_ms[{{ to_step }}] - steps_ms[{{ from_step }}], 0) as waited_ms
        from attempts
        where length(steps_ms) >= {{ to_step }}
    ),

    -- Few different times are left of many actors.
    grouped as (
        select
            {%- for cell in cells %}
            {{ cell }},
            {%- endfor %}
            waited_ms,
            count() as persons
        from waited
        group by {% for cell in cells %}{{ cell }}, {% endfor %}waited_ms
    ),

    measured as (
        select
            {%- for cell in cells %}
            {{ cell }},
            {%- endfor %}
            waited_ms,
            persons,
            min(waited_ms) over () as shortest_ms,
            max(waited_ms) over () as longest_ms,
            {%- if bin_ms is not none %}
            toInt64({{ bin_ms }}) as width_ms,
            intDiv(shortest_ms, width_ms) * width_ms as first_ms
            {%- else %}
            intDiv(longest_ms - shortest_ms, toInt64({{ bins }})) + 1 as width_ms,
            shortest_ms as first_ms
            {%- endif %}
        from grouped
    ),

    binned as (
        select
            {%- for cell in cells %}
            {{ cell }},
            {%- endfor %}
            first_ms,
            width_ms,
            intDiv(longest_ms - first_ms, width_ms) + 1 as bin_count,
            intDiv(waited_ms - first_ms, width_ms) as bin,
            sum(persons) as persons
        from measured
        group by {% for cell in cells %}{{ cell }}, {% endfor %}first_ms, width_ms, bin_count, bin
    ),

    -- An empty bin is a row too.
    filled as (
        select
            {%- for cell in cells %}
            {{ cell }},
            {%- endfor %}
            first_ms,
            width_ms,
            arrayJoin(
                arrayConcat(
                    groupArray((bin, persons)), arrayMap(bin -> (toInt64(bin), toUInt64(0)), range(toUInt64(bin_count)))
                )
            ) as found
        from binned
        group by {% for cell in cells %}{{ cell }}, {% endfor %}first_ms, width_ms, bin_count
    )

select
    {%- for cell in cells %}
    {{ cell }},
    {%- endfor %}
    first_ms + found.1 * width_ms as from_ms,
    first_ms + (found.1 + 1) * width_ms as to_ms,
    sum(found.2) as persons
from filled
group by {% for cell in cells %}{{ cell }}, {% endfor %}from_ms, to_ms
order by {% for key in keys %}{{ key }}, {% endfor -%}
    {%- if breakdown is not none %}breakdown_kind, breakdown, {% endif %}from_ms
{%- endmacro -%}
