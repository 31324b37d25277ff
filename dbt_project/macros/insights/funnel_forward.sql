{#-
    Parts of insights_funnel_paths: how attempts go from step to step. Both give a CTE `followed` with the columns and
    arrays of before, none_place, step_1 … step_n, paths (for each attempt the places of the steps it reached, in order),
    dropped (whether an exclusion drops the attempt) and person_dropped.
-#}

{#-
    For each place the earliest one whose event may still follow it: the first of its instant, or with a tie grace the
    first that is at most so much earlier. For the grace, every event and an earlier self (0 sorts before 1) are sorted as
    one: the events that stand before an earlier self are those too early for it.
-#}
{%- macro insights_funnel_earliest(tie_grace_ms, held) -%}
{%- set group = 'groups[place]' if held else '0' -%}
{%- if tie_grace_ms is none -%}
arrayFill(
    (place, event_ms) -> place = 1 or event_ms != events_ms[place - 1]
    {%- if held %} or groups[place] != groups[place - 1]{% endif %} or place = none_place,
    all_places,
    events_ms
)
{%- else -%}
arrayPushBack(
    arrayMap(
        (sorted_place, earlier_selves) -> toUInt32(sorted_place - earlier_selves + 1),
        arrayFilter(
            (sorted_place, found) -> found.3 = 0,
            arrayEnumerate(
                arraySort(
                    arrayConcat(
                        arrayMap(
                            (place, event_ms) -> ({{ group }}, event_ms, 1),
                            arrayPopBack(all_places), arrayPopBack(events_ms)
                        ),
                        arrayMap(
                            (place, event_ms) -> ({{ group }}, event_ms - toInt64({{ tie_grace_ms }}), 0),
                            arrayPopBack(all_places), arrayPopBack(events_ms)
                        )
                    ) as with_earlier_selves
                ) as sorted_selves
            ),
            sorted_selves
        ),
        arrayPopBack(all_places)
    ),
    toUInt32(none_place)
)
{%- endif -%}
{%- endmacro -%}

{#- The first place from `places` on, by the array `next`, that none of the arrays `taken` names. Jinja's arguments. -#}
{%- macro insights_funnel_untaken(places, next, taken) -%}
{%- set found = namespace(text=places) -%}
{%- for _ in taken -%}
{%- set found.text -%}
arrayMap(
    (found, {% for step in taken %}taken_{{ loop.index }}{{ ', ' if not loop.last }}{% endfor %})
    -> if(
        found < none_place and ({% for step in taken %}{{ 'or ' if not loop.first }}found = taken_{{ loop.index }} {% endfor %}),
        {{ next }}[found + 1],
        found
    ),
    {{ found.text }},
    {{ taken | join(', ') }}
)
{%- endset -%}
{%- endfor -%}
{{ found.text }}
{%- endmacro -%}

{#-
    Ordered and strict: a CTE per step, and more where exclusions may lie before the step. Each stage computes little:
    within one select, the engine spells an alias out wherever it is used.
-#}
{%- macro insights_funnel_forward(n, columns, arrays, exclusions, within, places, order) -%}
{%- set always = columns + arrays + ['none_place', 'earliest_places' if order == 'ordered' else 'fits'] -%}
{%- set before = ['step_1'] -%}
{%- set gaps = [] -%}
{#- What each stage hands on besides: of the next_… those that a later step reads. #}
{%- set handed_on = [[]] -%}
{%- for step in range(1, n + 1) -%}
{%- set later = [] -%}
{%- for next in range(step + 1, n + 1) if order == 'ordered' -%}
{%- set _ = later.append('next_' ~ next) -%}
{%- endfor -%}
{%- for exclusion in exclusions -%}
{%- if exclusion.get('to_step', n) > step -%}{%- set _ = later.append('next_' ~ (n + loop.index)) -%}{%- endif -%}
{%- endfor -%}
{%- set _ = handed_on.append(later) -%}
{%- endfor -%}
    to_step_1 as (
        select
            {{ (always + handed_on[1]) | join(', ') }},
            entered_places as step_1
        from entered
    ),
{%- for step in range(2, n + 1) %}
{%- set here = [] -%}
{%- for exclusion in exclusions -%}
{%- if exclusion.get('from_step', 1) < step <= exclusion.get('to_step', n) -%}
{%- set _ = here.append({
    'name': 'excluded_' ~ loop.index, 'next': 'next_' ~ (n + loop.index), 'effect': exclusion.get('effect', 'stop')
}) -%}
{%- endif -%}
{%- endfor %}

    {{ 'found' if here else 'to' }}_step_{{ step }} as (
        select
            {{ (always + handed_on[step - 1 if here else step] + before + gaps) | join(', ') }},
            {%- if order == 'strict' %}
            arrayMap(
                (previous, place_1) -> if(
                    previous < none_place
                    and bitTest(fits[previous + 1], {{ step - 1 }})
                    and ranks[previous + 1] = ranks[previous] + 1
                    and {{ within | replace('[place]', '[previous + 1]') }},
                    previous + 1,
                    none_place
                ),
                step_{{ step - 1 }},
                step_1
            )
            {%- else %}
            arrayMap(
                (place, place_1) -> if({{ within }}, place, none_place),
                {{ insights_funnel_untaken(
                    'arrayMap(place -> next_' ~ step ~ '[earliest_places[place]], step_' ~ (step - 1) ~ ')',
                    'next_' ~ step,
                    before
                ) }},
                step_1
            )
            {%- endif %} as step_{{ step }}
        from to_step_{{ step - 1 }}
    ),
{%- if here %}

    -- What is excluded lies after all that the attempt has taken, and before what it takes next or its window's end.
    excluded_at_step_{{ step }} as (
        select
            {{ (always + handed_on[step] + before + gaps) | join(', ') }},
            step_{{ step }},
            {%- for exclusion in here %}
            arrayMap(
                (place, next_place, {{ places[:step - 1] | join(', ') }}) -> if(
                    place_{{ step - 1 }} < none_place and place < next_place and {{ within }}, place, none_place
                ),
                arrayMap(
                    ({{ places[:step - 1] | join(', ') }}) -> {{ exclusion.next }}[
                        least(greatest({{ places[:step - 1] | join(', ') }}, 0) + 1, none_place)
                    ],
                    {{ before | join(', ') }}
                ),
                step_{{ step }},
                {{ before | join(', ') }}
            ) as {{ exclusion.name }}{{ ',' if not loop.last }}
            {%- endfor %}
        from found_step_{{ step }}
    ),

    stopped_at_step_{{ step }} as (
        select
            {{ (always + handed_on[step] + before + gaps) | join(', ') }},
            step_{{ step }},
            {{ here | map(attribute='name') | join(', ') }},
            {{ insights_funnel_stopped(here) | indent(12) }} as stopped
        from excluded_at_step_{{ step }}
    ),

    to_step_{{ step }} as (
        select
            {{ (always + handed_on[step] + before + gaps) | join(', ') }},
            {{ insights_funnel_dropped(here) | indent(12) }} as dropped_{{ step }},
            arrayMap((place, stop) -> if(stop < none_place, none_place, place), found_{{ step }}, stopped)
                as step_{{ step }}
        from (
            select
                * except (step_{{ step }}),
                step_{{ step }} as found_{{ step }}
            from stopped_at_step_{{ step }}
        )
    ),
{%- set _ = gaps.append('dropped_' ~ step) -%}
{%- endif %}
{%- set _ = before.append('step_' ~ step) -%}
{%- endfor %}

    followed as (
        select
            {{ (columns + arrays + ['none_place'] + before) | join(', ') }},
            arrayMap(
                ({{ places | join(', ') }}) -> arrayFilter(place -> place < none_place, [{{ places | join(', ') }}]),
                {{ before | join(', ') }}
            ) as paths,
            {% if gaps -%}
            arrayMap(
                ({{ gaps | join(', ') }}) -> greatest({{ gaps | join(', ') }}, 0),
                {{ gaps | join(', ') }}
            )
            {%- else -%}
            arrayMap(place -> 0, step_1)
            {%- endif %} as dropped
        from to_step_{{ n }}
    ),
{%- endmacro -%}

{#- Where each attempt is stopped by the first of its exclusions that stop, or none_place. -#}
{%- macro insights_funnel_stopped(exclusions) -%}
{%- set names = exclusions | map(attribute='name') | join(', ') -%}
arrayMap(
    ({{ names }}) -> least(
        {%- for exclusion in exclusions if exclusion.effect == 'stop' %}{{ exclusion.name }}, {% endfor -%}
        none_place, none_place
    ),
    {{ names }}
)
{%- endmacro -%}

{#- What exclusions make of each attempt: 1 drops it, 2 drops the person, 0 neither. One that was stopped is over. -#}
{%- macro insights_funnel_dropped(exclusions) -%}
{%- set names = exclusions | map(attribute='name') | join(', ') -%}
arrayMap(
    (stop, {{ names }}) -> greatest(
        {%- for exclusion in exclusions if exclusion.effect != 'stop' %}
        if(
            {{ exclusion.name }} < none_place and {{ exclusion.name }} <= stop,
            {{ 2 if exclusion.effect == 'drop_person' else 1 }},
            0
        ),
        {%- endfor %}
        0, 0
    ),
    stopped,
    {{ names }}
)
{%- endmacro -%}

{#- Unordered: every step takes its event from the entry on, in the order of the list. -#}
{%- macro insights_funnel_unordered(n, columns, arrays, exclusions, within, places) -%}
{%- for step in range(1, n + 1) %}
{%- set before = [] -%}
{%- for done in range(1, step) -%}{%- set _ = before.append('step_' ~ done) -%}{%- endfor %}
    to_step_{{ step }} as (
        select
            {{ columns | join(', ') }},
            {{ arrays | join(', ') }},
            none_place,
            {%- for other in range(step, n + 1 + exclusions | length) %}
            next_{{ other }},
            {%- endfor %}
            entered_places,
            {%- for done in before %}
            {{ done }},
            {%- endfor %}
            arrayMap(
                (place, place_1) -> if({{ within }}, place, none_place),
                {{ insights_funnel_untaken(
                    'arrayMap(place -> next_' ~ step ~ '[place], entered_places)', 'next_' ~ step, before
                ) }},
                entered_places
            ) as step_{{ step }}
        from {{ 'entered' if step == 1 else 'to_step_' ~ (step - 1) }}
    ),
{% endfor %}
{%- set taken = [] -%}
{%- for step in range(1, n + 1) -%}{%- set _ = taken.append('step_' ~ step) -%}{%- endfor %}
    {%- set here = [] -%}
    {%- for exclusion in exclusions -%}
    {%- set _ = here.append({'name': 'excluded_' ~ loop.index, 'effect': exclusion.get('effect', 'stop')}) -%}
    {%- endfor %}
    ended as (
        select
            {{ (columns + arrays + ['none_place', 'entered_places'] + taken) | join(', ') }},
            {%- for exclusion in exclusions %}
            next_{{ n + loop.index }},
            {%- endfor %}
            -- Once all steps are done, nothing can be excluded any more.
            arrayMap(
                ({{ places | join(', ') }}) -> greatest({{ places | join(', ') }}, 0), {{ taken | join(', ') }}
            ) as ends
        from to_step_{{ n }}
    ),

    excluded as (
        select
            {{ (columns + arrays + ['none_place', 'entered_places'] + taken) | join(', ') }}
            {%- for exclusion in exclusions %},
            arrayMap(
                (place, place_1, end_place) -> if({{ within }} and place < end_place, place, none_place),
                {{ insights_funnel_untaken(
                    'arrayMap(place -> next_' ~ (n + loop.index) ~ '[place + 1], entered_places)',
                    'next_' ~ (n + loop.index), taken
                ) }},
                entered_places,
                ends
            ) as excluded_{{ loop.index }}
            {%- endfor %}
        from ended
    ),

    cut_short as (
        select
            {{ (columns + arrays + ['none_place', 'entered_places'] + taken) | join(', ') }},
            {%- for exclusion in here %}
            {{ exclusion.name }},
            {%- endfor %}
            {{ insights_funnel_stopped(here) if here else 'arrayMap(place -> none_place, entered_places)' }} as stopped
        from excluded
    ),

    followed as (
        select
            {{ (columns + arrays + ['none_place']) | join(', ') }},
            {%- for step in taken %}
            arrayMap((place, stop) -> if(place < stop, place, none_place), cut_short.{{ step }}, stopped) as {{ step }},
            {%- endfor %}
            arrayMap(
                ({{ places | join(', ') }}, stop) -> arraySort(
                    arrayFilter(place -> place < stop, [{{ places | join(', ') }}])
                ),
                {{ taken | join(', ') }},
                stopped
            ) as paths,
            {{ insights_funnel_dropped(here) if here else 'arrayMap(place -> 0, entered_places)' }} as dropped
        from cut_short
    ),
{%- endmacro -%}

{#-
    For each attempt the place of the event that gives its value, or none_place: of the first or the last step reached that
    has a value, or of one step. Ordered steps are reached in their order, unordered ones in that of their places.
-#}
{%- macro insights_funnel_value_places(n, order, attribution, places) -%}
{%- set taken = [] -%}
{%- for step in range(1, n + 1) -%}{%- set _ = taken.append('step_' ~ step) -%}{%- endfor -%}
{%- if attribution not in ['first', 'last'] -%}
step_{{ attribution }}
{%- elif order == 'unordered' -%}
arrayMap(
    ({{ places | join(', ') }}) -> {{ 'least' if attribution == 'first' else 'greatest' }}(
        {%- for place in places %}
        if(has_value[{{ place }}], {{ place }}, {{ 'none_place' if attribution == 'first' else 0 }}),
        {%- endfor %}
        {{ 'none_place, none_place' if attribution == 'first' else '0, 0' }}
    ),
    {{ taken | join(', ') }}
)
{%- else -%}
arrayMap(
    ({{ places | join(', ') }}) -> multiIf(
        {%- for place in (places if attribution == 'first' else places | reverse) %}
        has_value[{{ place }}], {{ place }},
        {%- endfor %}
        none_place
    ),
    {{ taken | join(', ') }}
)
{%- endif -%}
{%- endmacro -%}
