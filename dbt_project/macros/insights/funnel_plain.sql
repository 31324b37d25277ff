{#-
    The short way of insights_funnel_attempts, which describes the arguments and the columns: where only the steps matter.

    How it works: an event is one number, so that an actor's history is sorted fast and takes little memory. `places` are
    indexes into it; all attempts of an actor go forward together, one step at a time, by arrays that tell for each place
    where the next event of a step is.
-#}
{%- macro insights_funnel_plain(
    relation, project, steps, start, end, window_ms, keys, where, actor, attempts, disjoint
) -%}
{%- set n = steps | length -%}
{%- set group_by = (keys + ['actor']) | join(', ') -%}
{%- set overlaps = [] -%}
{%- for step in steps if not disjoint -%}
{%- for other in steps[loop.index:] -%}
{%- set _ = overlaps.append('((' ~ step ~ ') and (' ~ other ~ '))') -%}
{%- endfor -%}
{%- endfor -%}
{#- The events of the steps as numbers: the instant, and in the lowest bits the steps that it fits. #}
{%- set events -%}
select
    {%- for key in keys %}
    {{ key }},
    {%- endfor %}
    {{ actor }} as actor,
    toUnixTimestamp64Milli(timestamp) * {{ 2 ** n }} + {{ insights_funnel_bits(steps) }} as packed
from {{ relation }}
where
    project_id = {{ project }}
    and timestamp >= {{ start }}
    and timestamp < {{ end }} + toIntervalMillisecond({{ window_ms }})
    and (({{ steps | join(') or (') }}))
    and ({{ where }})
{%- endset -%}
{%- set end_packed = 'toUnixTimestamp64Milli(' ~ end ~ ') * ' ~ 2 ** n -%}
with
    {%- if overlaps %}
    -- Where the order of sending matters. That no event fits two steps, the primary key usually says at once.
    tangled as (
        select
            {%- for key in keys %}
            {{ key }},
            {%- endfor %}
            actor
        from (
            select
                {%- for key in keys %}
                {{ key }},
                {%- endfor %}
                actor,
                arraySort(groupArray(packed)) as events
            from (
                {{ events | indent(16) }}
                and (
                    select count()
                    from (
                        select 1
                        from {{ relation }}
                        where
                            project_id = {{ project }}
                            and timestamp >= {{ start }}
                            and timestamp < {{ end }} + toIntervalMillisecond({{ window_ms }})
                            and ({{ overlaps | join(' or ') }})
                            and ({{ where }})
                        limit 1
                    )
                ) > 0
            )
            group by {{ group_by }}
        )
        where arrayExists(
            (packed, next_packed) -> bitShiftRight(packed, {{ n }}) = bitShiftRight(next_packed, {{ n }})
            and (
                bitCount(bitAnd(packed, {{ 2 ** n - 1 }})) > 1
                or bitCount(bitAnd(next_packed, {{ 2 ** n - 1 }})) > 1
            ),
            arrayPopBack(events),
            arrayPopFront(events)
        )
    ),
    {%- endif %}

    actors as (
        select
            {%- for key in keys %}
            {{ key }},
            {%- endfor %}
            actor,
            {%- if n > 1 %}
            groupBitOr(packed) as fitted,
            groupArray(packed) as events,
            {%- endif %}
            minIf(packed, bitTest(packed, 0)) as first_entry
        from (
            {{ events | indent(12) }}
        )
        group by {{ group_by }}
        having
            countIf(bitTest(packed, 0) and packed < {{ end_packed }}) > 0
            {%- if overlaps %}
            and ({{ group_by }}) not in (select {{ group_by }} from tangled)
            {%- endif %}
    )
    {%- if n == 1 %}

select
    {%- for key in keys %}
    {{ key }},
    {%- endfor %}
    actor,
    [bitShiftRight(first_entry, 1)] as steps_ms
from actors
    {%- else %},

    -- Only who has an event of step 2 can get further than the entry. The last two elements stand for "none".
    -- Each stage computes little: within one select, the engine spells an alias out wherever it is used.
    ordered as (
        select
            {{ group_by }},
            arrayConcat(
                if(
                    bitTest(fitted, 1),
                    arraySort(arrayFilter(packed -> packed >= first_entry, events)),
                    [first_entry]
                ),
                arrayWithConstant(2, bitShiftLeft(toInt64(1), 62))
            ) as events
        from actors
    ),

    placed as (
        select
            {{ group_by }},
            events,
            arrayMap(place -> least(place, length(events) - 1), arrayEnumerate(events)) as places,
            arrayMap(packed -> bitShiftRight(packed, {{ n }}), events) as events_ms,
            {% if attempts == 'first' %}[toUInt32(1)]{% else -%}
            arrayFilter(
                (place, packed) -> bitTest(packed, 0) and packed < {{ end_packed }}, arrayEnumerate(events), events
            )
            {%- endif %} as step_1
        from ordered
    ),

    {%- for step in range(2, n + 1) %}

    -- The next event of step {{ step }} after each place, and so after each attempt's event of the step before.
    to_step_{{ step }} as (
        select
            {%- for key in keys %}
            {{ key }},
            {%- endfor %}
            actor,
            events,
            places,
            events_ms,
            {%- for done in range(1, step) %}
            step_{{ done }},
            {%- endfor %}
            arrayReverseFill((place, packed) -> bitTest(packed, {{ step - 1 }}), places, events) as next_places,
            arrayMap(place -> next_places[place + 1], step_{{ step - 1 }}) as step_{{ step }}
        from {{ 'placed' if step == 2 else 'to_step_' ~ (step - 1) }}
    ),
    {%- endfor %}

    judged as (
        select
            {{ group_by }},
            events_ms,
            {%- for step in range(1, n + 1) %}
            step_{{ step }},
            {%- endfor %}
            arrayMap(
                ({% for step in range(1, n + 1) %}place_{{ step }}{{ ', ' if not loop.last }}{% endfor %})
                -> 1{% for step in range(2, n + 1) %}
                + (events_ms[place_{{ step }}] <= events_ms[place_1] + {{ window_ms }})
                {%- endfor %},
                {% for step in range(1, n + 1) %}step_{{ step }}{{ ', ' if not loop.last }}{% endfor %}
            ) as reached
        from to_step_{{ n }}
    ),

    chosen as (
        select
            {{ group_by }},
            events_ms,
            {%- for step in range(1, n + 1) %}
            step_{{ step }},
            {%- endfor %}
            arrayMax(reached) as furthest,
            indexOf(reached, arrayMax(reached)) as best
        from judged
    )

select
    {%- for key in keys %}
    {{ key }},
    {%- endfor %}
    actor,
    arrayMap(
        place -> events_ms[place],
        arraySlice(
            [{% for step in range(1, n + 1) %}step_{{ step }}[best]{{ ', ' if not loop.last }}{% endfor %}], 1, furthest
        )
    ) as steps_ms
from chosen
    {%- if overlaps %}
union all
select
    {%- for key in keys %}
    {{ key }},
    {%- endfor %}
    actor,
    steps_ms
from (
    {{ insights_funnel_paths(
        relation, project, steps, start, end, window_ms, keys, where, actor, 'ordered', attempts,
        among='(' ~ group_by ~ ') in (select ' ~ group_by ~ ' from tangled)'
    ) | indent(4) }}
)
    {%- endif %}
    {%- endif %}
{%- endmacro -%}

{#- Which of the conditions an event fits, as bits of a number; a condition without a value does not fit. -#}
{%- macro insights_funnel_bits(conditions) -%}
(
    {%- for condition in conditions %}
    {{ '+ ' if not loop.first }}bitShiftLeft(toInt64(ifNull(toBool({{ condition }}), false)), {{ loop.index0 }})
    {%- endfor %}
)
{%- endmacro -%}
