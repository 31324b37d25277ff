{#-
    The long way of insights_funnel_attempts, which describes the arguments and answers; here `value` is '' for a missing
    one. `among`, a condition on the keys and on actor, limits whose attempts are looked at.

    How it works: each actor's events that matter stand in arrays in their order; a place is an index into them, and
    none_place, one beyond the last, stands for "no such event". All attempts of an actor go forward together, step by
    step: step_1 holds the places of the entries, step_2 beside it those of the events taken next, and so on. What comes
    next after a place is read off arrays that are filled once from behind (next_1 …), so the work grows with the number
    of events and not with its square. An event already taken is passed over as often as there are steps before.
    Held values: the events are grouped by them first, and no attempt leaves its group.
-#}
{%- macro insights_funnel_paths(
    relation, project, steps, start, end, window_ms, keys, where, actor, order, attempts, tie_grace_ms=none, exclusions=[],
    hold_constant=[], between='true', breakdown=none, attribution='first', among=none
) -%}
{%- set n = steps | length -%}
{%- set columns = keys + ['actor'] -%}
{%- set conditions = steps + exclusions | map(attribute='condition') | list -%}
{%- set held = hold_constant | length > 0 -%}
{%- set ranked = held or order == 'strict' -%}
{#- Every attempt's arrays run side by side; these are their lambdas' arguments. #}
{%- set places = [] -%}
{%- for step in range(1, n + 1) -%}{%- set _ = places.append('place_' ~ step) -%}{%- endfor -%}
{%- set taken = [] -%}
{%- for step in range(1, n + 1) -%}{%- set _ = taken.append('step_' ~ step) -%}{%- endfor -%}
{%- set arrays = ['events_ms'] + (['ranks'] if ranked else []) + (['groups'] if held else [])
    + (['values'] if breakdown is not none else []) -%}
{%- set fits_entry = 'bitAnd(fits, ' ~ (2 ** n - 1 if order == 'unordered' else 1) ~ ') != 0' -%}
{%- set in_range = 'event_ms >= toUnixTimestamp64Milli(' ~ start ~ ')'
    ~ ' and event_ms < toUnixTimestamp64Milli(' ~ end ~ ')' -%}
{#- Whether the event at `place` may belong to the attempt that began at place_1. #}
{%- set within = 'events_ms[place] <= events_ms[place_1] + ' ~ window_ms
    ~ (' and groups[place] = groups[place_1]' if held else '') -%}
with
    matched as (
        select
            {%- for key in keys %}
            {{ key }},
            {%- endfor %}
            {{ actor }} as actor,
            toUnixTimestamp64Milli(timestamp) as event_ms,
            received_at,
            sequence,
            message_id,
            {%- for expression in hold_constant %}
            ifNull(toString({{ expression }}), '') as held_{{ loop.index }},
            {%- endfor %}
            {%- if breakdown is not none %}
            ifNull(toString({{ breakdown }}), '') as value,
            {%- endif %}
            {% if held -%}
            if(
                {% for expression in hold_constant %}{{ 'and ' if not loop.first }}held_{{ loop.index }} != '' {% endfor -%},
                {{ insights_funnel_bits(conditions) }},
                0
            )
            {%- else -%}
            {{ insights_funnel_bits(conditions) }}
            {%- endif %} as fits
        from {{ relation }}
        where
            project_id = {{ project }}
            and timestamp >= {{ start }}
            {%- if tie_grace_ms is not none and order == 'ordered' %}
            - toIntervalMillisecond({{ n - 1 }} * {{ tie_grace_ms }})
            {%- endif %}
            and timestamp < {{ end }} + toIntervalMillisecond({{ window_ms }})
            and ({% if order == 'strict' %}({{ between }}) or {% endif %}({{ conditions | join(') or (') }}))
            and ({{ where }})
            {%- if order != 'strict' and held %}
            and fits != 0
            {%- endif %}
            {%- if among is not none %}
            and {{ among }}
            {%- elif order == 'strict' %}
            -- Who has no entry need not be put in order.
            and ({{ columns | join(', ') }}) in (
                select
                    {%- for key in keys %}
                    {{ key }},
                    {%- endfor %}
                    {{ actor }}
                from {{ relation }}
                where
                    project_id = {{ project }}
                    and timestamp >= {{ start }}
                    and timestamp < {{ end }}
                    and ({{ steps[0] }})
                    and ({{ where }})
            )
            {%- endif %}
    ),

    collected as (
        select
            {{ columns | join(', ') }},
            groupArray(event_ms) as sent_ms,
            groupArray(received_at) as received,
            groupArray(sequence) as sequences,
            groupArray(message_id) as message_ids,
            {%- for expression in hold_constant %}
            groupArray(held_{{ loop.index }}) as helds_{{ loop.index }},
            {%- endfor %}
            {%- if breakdown is not none %}
            groupArray(value) as sent_values,
            {%- endif %}
            groupArray(fits) as sent_fits
        from matched
        group by {{ columns | join(', ') }}
        having countIf({{ fits_entry }} and {{ in_range }}) > 0
    ),

    -- Most actors have no two events in one instant; theirs are sorted by a number alone.
    -- Each stage computes little: within one select, the engine spells an alias out wherever it is used.
    ordered as (
        select
            {{ columns | join(', ') }},
            sent_ms,
            sent_fits,
            {%- if breakdown is not none %}
            sent_values,
            {%- endif %}
            {%- if held %}
            arrayEnumerateDense({% for expression in hold_constant %}helds_{{ loop.index }}{{ ', ' if not loop.last }}{% endfor %})
                as sent_groups,
            {%- endif %}
            if(
                length(arrayDistinct(sent_ms)) = length(sent_ms),
                arraySort((event, event_ms) -> event_ms, arrayEnumerate(sent_ms), sent_ms),
                arraySort(
                    event -> (sent_ms[event], received[event], sequences[event], message_ids[event]),
                    arrayEnumerate(sent_ms)
                )
            ) as {{ 'sorted' if ranked else 'events' }}
        from collected
    ),

    {%- if ranked %}

    -- Ranks tell the order of all events; places are theirs alone that fit something.
    fitting as (
        select
            {{ columns | join(', ') }},
            sent_ms,
            sent_fits,
            {%- if breakdown is not none %}
            sent_values,
            {%- endif %}
            {%- if held %}
            sent_groups,
            {%- endif %}
            sorted,
            {{ 'arraySort(rank -> (sent_groups[sorted[rank]], rank), ' if held }}
            {{- 'arrayFilter(rank -> sent_fits[sorted[rank]] != 0, arrayEnumerate(sorted))' }}{{ ')' if held }} as ranks
        from ordered
    ),

    ranked as (
        select
            {{ columns | join(', ') }},
            sent_ms,
            sent_fits,
            {%- if breakdown is not none %}
            sent_values,
            {%- endif %}
            {%- if held %}
            sent_groups,
            {%- endif %}
            ranks,
            arrayMap(rank -> sorted[rank], ranks) as events
        from fitting
    ),
    {%- endif %}

    arranged as (
        select
            {{ columns | join(', ') }},
            {%- if ranked %}
            ranks,
            {%- endif %}
            {%- if held %}
            arrayPushBack(arrayMap(event -> sent_groups[event], events), 0) as groups,
            {%- endif %}
            {%- if breakdown is not none %}
            arrayMap(event -> sent_values[event], events) as values,
            {%- endif %}
            arrayPushBack(arrayMap(event -> sent_ms[event], events), toInt64(4611686018427387904)) as events_ms,
            arrayPushBack(arrayMap(event -> sent_fits[event], events), toInt64(0)) as fits,
            toUInt32(length(events) + 1) as none_place,
            arrayEnumerate(arrayPushBack(events, 0)) as all_places
        from {{ 'ranked' if ranked else 'ordered' }}
    ),

    entered as (
        select
            {{ columns | join(', ') }},
            {{ arrays | join(', ') }},
            none_place,
            {%- if order == 'ordered' %}
            {{ insights_funnel_earliest(tie_grace_ms, held) | indent(12) }} as earliest_places,
            {%- endif %}
            {%- for condition in conditions %}
            {%- if loop.index > n or order == 'unordered' or (order == 'ordered' and loop.index > 1) %}
            arrayReverseFill((place, fit) -> bitTest(fit, {{ loop.index0 }}), all_places, fits) as next_{{ loop.index }},
            {%- endif %}
            {%- endfor %}
            fits,
            {%- set entries = 'arrayFilter((place, fits, event_ms) -> ' ~ fits_entry ~ ' and ' ~ in_range
                ~ ', all_places, fits, events_ms)' %}
            {%- set by_rank = 'arraySort(place -> ranks[place], ' ~ entries ~ ')' if held else entries %}
            {{ 'arraySlice(' ~ by_rank ~ ', 1, 1)' if attempts == 'first' else by_rank }} as entered_places
        from arranged
    ),

    {%- if order == 'unordered' %}
    {{ insights_funnel_unordered(n, columns, arrays, exclusions, within, places) }}
    {%- else %}
    {{ insights_funnel_forward(n, columns, arrays, exclusions, within, places, order) }}
    {%- endif %}

    {%- if breakdown is not none %}

    -- Where each attempt has its value from. A lambda in a lambda would copy the values for every attempt.
    valued as (
        select
            {{ columns | join(', ') }},
            events_ms,
            values,
            paths,
            dropped,
            {{ insights_funnel_value_places(n, order, attribution, places) | indent(12) }} as value_places
        from (
            select
                {{ columns | join(', ') }},
                events_ms,
                values,
                none_place,
                paths,
                dropped,
                {%- for place in places %}
                step_{{ loop.index }},
                {%- endfor %}
                arrayMap(value -> value != '', values) as has_value
            from followed
        )
    ),
    {%- endif %}

    kept as (
        select
            {{ columns | join(', ') }},
            events_ms,
            paths,
            {%- if breakdown is not none %}
            arrayMap(place -> values[place], value_places) as path_values,
            {%- endif %}
            arrayFilter((attempt, drop) -> drop = 0, arrayEnumerate(dropped), dropped) as attempts
        from {{ 'valued' if breakdown is not none else 'followed' }}
        where not has(dropped, 2)
    ),

    {%- if breakdown is not none %}

    by_value as (
        select
            {{ columns | join(', ') }},
            events_ms,
            paths,
            path_values,
            arraySort(attempt -> (path_values[attempt], -toInt64(length(paths[attempt])), attempt), attempts) as attempts
        from kept
    ),

    best as (
        select
            {{ columns | join(', ') }},
            events_ms,
            paths,
            path_values,
            arrayJoin(
                arrayFilter(
                    (attempt, previous) -> previous = 0 or path_values[attempt] != path_values[previous],
                    attempts,
                    arrayPopBack(arrayPushFront(attempts, toUInt32(0)))
                )
            ) as best
        from by_value
    )
    {%- else %}

    -- Of the furthest attempts the first.
    best as (
        select
            {{ columns | join(', ') }},
            events_ms,
            paths,
            arraySort(attempt -> (-toInt64(length(paths[attempt])), attempt), attempts)[1] as best
        from kept
        where notEmpty(attempts)
    )
    {%- endif %}

select
    {{ columns | join(', ') }},
    {%- if breakdown is not none %}
    path_values[best] as value,
    {%- endif %}
    arrayMap(place -> events_ms[place], paths[best]) as steps_ms
from best
{%- endmacro -%}
