{#-
    How many actors got how far through the steps of a funnel, and how long they took.

    The range selects entries: events of step 1 in [start, end) (unordered: of any step). Each further step takes the
    earliest event that fits and that the attempt has not taken yet, at most `window_ms` after the entry (its end
    included), even beyond `end`. An actor counts once, by the attempt that gets furthest, the earliest among equals; with
    a breakdown once in each value of an attempt.

    Columns: the keys; with a breakdown breakdown and breakdown_kind; step (1 … n; of an unordered funnel: how many steps
    were done), persons (who reached it), lost_persons (who reached it and not the next one; 0 at the last),
    incomplete_persons (of persons: those whose window has not closed at `now`), and the time that they took from the
    previous step: avg_ms, p25_ms, median_ms, p75_ms, p90_ms, p95_ms, p99_ms, and from the entry: total_avg_ms … of the
    same kinds. In milliseconds, Nullable(Float64): null for step 1 and when nobody got there. Percentiles interpolate
    linearly between closest ranks. An event that was taken by the tie grace before its predecessor took 0 ms.
    Grain: a row per step, also when nobody reached it; with keys or a breakdown only for those that have an entry.
    Order: the keys; the values by entries, the most first, `(other)` last; step.
    Arguments: those of insights_funnel_attempts in funnel_attempts.sql.
-#}
{%- macro insights_funnel(relation, project, steps, start, end, window_ms, keys=[], breakdown=none, now='now64(3)') -%}
{%- set n = steps | length -%}
{%- set cells = keys + (['breakdown', 'breakdown_kind'] if breakdown is not none else []) -%}
{%- set shares = {'p25': '0.25', 'median': '0.5', 'p75': '0.75', 'p90': '0.9', 'p95': '0.95', 'p99': '0.99'} -%}
with
    attempts as (
        {{ insights_funnel_attempts(
            relation, project, steps, start, end, window_ms, keys=keys, breakdown=breakdown, now=now, **kwargs
        ) | indent(8) }}
    ),

    reached as (
        select
            {%- for cell in cells %}
            {{ cell }},
            {%- endfor %}
            step,
            length(steps_ms) as steps_reached,
            step <= steps_reached as is_reached,
            is_reached and steps_ms[1] + {{ window_ms }} >= toUnixTimestamp64Milli({{ now }}) as is_incomplete,
            greatest(steps_ms[step] - steps_ms[greatest(step - 1, 1)], 0) as waited_ms,
            greatest(steps_ms[step] - steps_ms[1], 0) as total_waited_ms
        from attempts
        {%- if cells %}
        -- A step that nobody reached is a row too. To ask for the keys and values again would compute the attempts twice.
        array join range(1, {{ n + 1 }}) as step
        {%- else %}
        array join arrayEnumerate(steps_ms) as step
        union all
        -- A step that nobody reached is a row too.
        select
            arrayJoin(range(1, {{ n + 1 }})) as step,
            0 as steps_reached,
            false as is_reached,
            false as is_incomplete,
            0 as waited_ms,
            0 as total_waited_ms
        {%- endif %}
    ),

    counted as (
        select
            {%- for cell in cells %}
            {{ cell }},
            {%- endfor %}
            step,
            countIf(is_reached) as persons,
            countIf(is_reached and steps_reached = step and step < {{ n }}) as lost_persons,
            countIf(is_incomplete) as incomplete_persons,
            avgIf(waited_ms, is_reached) as waited_avg_ms,
            quantilesExactInclusiveIf({{ shares.values() | join(', ') }})(waited_ms, is_reached and step > 1) as waited_shares_ms,
            avgIf(total_waited_ms, is_reached) as total_waited_avg_ms,
            quantilesExactInclusiveIf({{ shares.values() | join(', ') }})(total_waited_ms, is_reached and step > 1)
                as total_waited_shares_ms,
            step > 1 and persons > 0 as is_timed
        from reached
        group by {% for cell in cells %}{{ cell }}, {% endfor %}step
    )

select
    {%- for cell in cells %}
    {{ cell }},
    {%- endfor %}
    toUInt32(step) as step,
    persons,
    lost_persons,
    incomplete_persons,
    {%- for total in ['', 'total_'] %}
    if(is_timed, {{ total }}waited_avg_ms, null) as {{ total }}avg_ms,
    {%- for share in shares %}
    if(is_timed, {{ total }}waited_shares_ms[{{ loop.index }}], null) as {{ total }}{{ share }}_ms{{ ',' if not (total and loop.last) }}
    {%- endfor %}
    {%- endfor %}
from counted
order by
    {%- for key in keys %}
    {{ key }},
    {%- endfor %}
    {%- if breakdown is not none %}
    breakdown_kind = 'other',
    max(persons) over (partition by {{ cells | join(', ') }}) desc,
    breakdown_kind,
    breakdown,
    {%- endif %}
    step
{%- endmacro -%}
