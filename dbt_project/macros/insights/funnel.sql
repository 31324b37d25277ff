{#-
    How many persons got how far through ordered steps, each person by their best attempt.

    Every event that matches step 1 in [start, end) opens an attempt. Each further step takes the earliest unused event
    that fits: not before the previous step's event and at most `window_ms` after the entry (its end included), even
    beyond `end`. Events of one instant may be taken in step order; where several fit, the one sent first is taken. The
    attempt that gets furthest counts, the earliest among equals.

    Columns: step (1 … n), persons (who reached it), median_ms and avg_ms (time from the previous step among them; null
    for step 1 and when nobody got there; the median interpolates linearly). Order: step.
    `steps` is a list of SQL conditions over `relation` (fct_events); the other arguments are SQL expressions. `keys` are
    columns by which everything is told apart and which come first in the result: a model over all projects passes
    ['project_id'] as keys and project_id as the project. Only a key with an entry has rows.

    How it works: what an attempt does after an event does not depend on how it got there; only its window cuts it off.
    So one pass from the last instant to the first keeps, for every step, the path that begins with the next event of that
    step (the instants of this step and the following ones), and each entry reads its attempt off it: linear in events,
    where trying every entry on its own would be quadratic.
-#}
{%- macro insights_funnel(relation, project, steps, start, end, window_ms, keys=[]) -%}
{%- set n = steps | length -%}
with
    matched as (
        select
            {%- for key in keys %}
            {{ key }},
            {%- endfor %}
            person_id,
            toUnixTimestamp64Milli(timestamp) as timestamp_ms,
            received_at,
            sequence,
            message_id,
            {% for step in steps -%}
            {{ '+ ' if not loop.first }}bitShiftLeft(toUInt64(toBool({{ step }})), {{ loop.index0 }})
            {% endfor -%}
            as matches
        from {{ relation }}
        where
            project_id = {{ project }}
            and timestamp >= {{ start }}
            and timestamp < {{ end }} + toIntervalMillisecond({{ window_ms }})
            and (({{ steps | join(') or (') }}))
    ),

    persons as (
        select
            {%- for key in keys %}
            {{ key }},
            {%- endfor %}
            person_id,
            arraySort(groupArray((timestamp_ms, received_at, sequence, message_id, matches))) as events,
            arraySplit(
                (event, is_new_instant) -> is_new_instant,
                events,
                arrayMap(
                    (instant_ms, previous_ms) -> instant_ms != previous_ms,
                    events.1,
                    arrayPushFront(arrayPopBack(events.1), toInt64(-1))
                )
            ) as instants
        from matched
        group by {% for key in keys %}{{ key }}, {% endfor %}person_id
        having bitTest(groupBitOr(matches), 0)
    ),

    -- How many steps can be taken within one instant: from each step on (runs), and by each entry (entry_runs).
    measured as (
        select
            {%- for key in keys %}
            {{ key }},
            {%- endfor %}
            arrayReverse(instants) as latest_instants,
            arrayMap(instant -> instant[1].1, latest_instants) as instants_ms,
            arrayMap(
                instant -> if(
                    length(instant) = 1,
                    arrayMap(step -> toUInt64(bitTest(instant[1].5, step - 1)), range(1, {{ n + 1 }})),
                    arrayMap(
                        step -> {{ insights_funnel_run('instant.5', 'step', n, '[]::Array(UInt32)') }},
                        range(1, {{ n + 1 }})
                    )
                ),
                latest_instants
            ) as runs,
            arrayMap(
                instant -> multiIf(
                    instant[1].1 >= toUnixTimestamp64Milli({{ end }}), []::Array(UInt64),
                    length(instant) = 1, arrayWithConstant(bitTest(instant[1].5, 0), toUInt64(1)),
                    arrayMap(
                        entry -> {{ insights_funnel_run('instant.5', '2', n, '[entry]') }},
                        arrayFilter((entry, matches) -> bitTest(matches, 0), arrayEnumerate(instant), instant.5)
                    )
                ),
                latest_instants
            ) as entry_runs
        from persons
    ),

    attempts as (
        select
            {%- for key in keys %}
            {{ key }},
            {%- endfor %}
            arrayFold(
                (state, instant_ms, run, entry_run) -> (
                    -- The paths as they are from this instant on; there is none beyond the last step.
                    arrayPushBack(
                        arrayMap(
                            (taken, step) -> if(
                                taken = 0,
                                state.1[step],
                                arrayConcat(arrayWithConstant(taken, instant_ms), state.1[step + taken])
                            ),
                            run,
                            range(1, {{ n + 1 }})
                        ),
                        []::Array(Int64)
                    ),
                    -- The best attempt so far: of equals the earlier one, which this pass sees later.
                    arrayFold(
                        (best, taken) -> if(
                            length(arrayFilter(
                                step_ms -> step_ms <= instant_ms + {{ window_ms }}, state.1[taken + 1]
                            )) + taken >= length(best),
                            arrayConcat(
                                arrayWithConstant(taken, instant_ms),
                                arrayFilter(step_ms -> step_ms <= instant_ms + {{ window_ms }}, state.1[taken + 1])
                            ),
                            best
                        ),
                        arrayReverse(entry_run),
                        state.2
                    )
                ),
                instants_ms,
                runs,
                entry_runs,
                (arrayWithConstant({{ n + 1 }}, []::Array(Int64)), []::Array(Int64))
            ).2 as best
        from measured
    ),

    reached as (
        select
            {%- for key in keys %}
            {{ key }},
            {%- endfor %}
            step,
            best[step] - best[greatest(step - 1, 1)] as waited_ms
        from attempts
        array join arrayEnumerate(best) as step
        union all
        -- A step that nobody reached is a row too.
        select
            {%- for key in keys %}
            {{ key }},
            {%- endfor %}
            arrayJoin(range(1, {{ n + 1 }})) as step,
            null as waited_ms
        {%- if keys %}
        from (select distinct {{ keys | join(', ') }} from attempts where notEmpty(best))
        {%- endif %}
    )

select
    {%- for key in keys %}
    {{ key }},
    {%- endfor %}
    toUInt32(step) as step,
    count(waited_ms) as persons,
    if(step = 1, null, quantileExactInclusiveOrNull(0.5)(waited_ms)) as median_ms,
    if(step = 1, null, avgOrNull(waited_ms)) as avg_ms
from reached
group by {% for key in keys %}{{ key }}, {% endfor %}step
order by {% for key in keys %}{{ key }}, {% endfor %}step
{%- endmacro -%}

{#-
    How many events of one instant an attempt uses that takes the steps `first` … n there, for each the first unused one
    sent. `used` holds the places of those it used before; they count too.
-#}
{%- macro insights_funnel_run(matches, first, n, used) -%}
length(arrayFold(
    (taken, next_step) -> arrayConcat(
        taken,
        -- A step that finds no event ends the run: nothing is used for it nor for those after it.
        arraySlice(
            arrayFilter(
                (place, bits) -> bitTest(bits, next_step - 1) and not has(taken, place)
                and length(taken) = next_step - {{ first }} + length({{ used }}),
                arrayEnumerate({{ matches }}),
                {{ matches }}
            ),
            1,
            1
        )
    ),
    range({{ first }}, {{ n + 1 }}),
    {{ used }}
))
{%- endmacro -%}
