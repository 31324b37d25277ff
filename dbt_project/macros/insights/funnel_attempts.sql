{#-
    The attempt by which each actor counts in a funnel. The figures of funnel.sql, funnel_trend.sql, funnel_times.sql and
    funnel_actors.sql are taken from it; they hand these arguments through.

    Columns: the keys, actor, steps_ms (Array(Int64): the instants of the steps reached, in milliseconds since 1970; the
    first is the entry). With a breakdown also breakdown (String) and breakdown_kind: 'value', 'none' (shown as `(none)`)
    or 'other' (shown as `(other)`). The kind keeps a real value that reads `(other)` or `(none)` apart. Grain: one row
    per actor with an attempt, with a breakdown per actor and value. No order.

    Jinja's arguments, which choose the shape of the SQL:
    - steps: list of SQL conditions. order: 'ordered', 'strict' or 'unordered'. attempts: 'best' or 'first'.
    - exclusions: list of {'condition': SQL, 'from_step': i, 'to_step': j, 'effect': 'stop', 'drop_attempt' or
      'drop_person'}; without steps it lies between the first and the last; the effect is 'stop' unless it says otherwise.
    - hold_constant: list of SQL expressions that give String or Nullable(String); '' and null are missing.
    - attribution: 'first', 'last' or the number of a step.
    - hide_incomplete: leaves out entries whose window has not closed at `now`.
    - disjoint: the caller knows that no event fits two steps, such as steps by different names. Saves the engine the look
      (some 0.1 to 0.3 s a query). Where it is not true, an event may count for two steps.
    - keys: columns by which everything is told apart and which come first in the result.
    SQL expressions: relation (fct_events), project, start, end, window_ms, where, actor (whom to count), tie_grace_ms (none
    is 0, and cheaper to compute), between (the events that a strict funnel does not let lie between steps), breakdown
    (String or Nullable(String)), top (how many values are shown; none is all), now.

    Two ways lead there. Where nothing but the steps matters (ordered, no exclusions, …), an event is one number, its
    instant and the steps that it fits, and the rest of the order does not matter, save for actors who have an event that
    fits two steps in one instant with another: these few, and every other question, go the long way of funnel_paths.sql.
-#}
{%- macro insights_funnel_attempts(
    relation, project, steps, start, end, window_ms, keys=[], where='true', actor='person_number', order='ordered',
    attempts='best', tie_grace_ms=none, exclusions=[], hold_constant=[], between="type = 'track'", breakdown=none,
    attribution='first', top=none, now='now64(3)', hide_incomplete=false, disjoint=false
) -%}
{%- if hide_incomplete -%}
{%- set end = 'least(' ~ end ~ ', ' ~ now ~ ' - toIntervalMillisecond(' ~ window_ms ~ '))' -%}
{%- endif -%}
{%- set plain = order == 'ordered' and tie_grace_ms is none and not exclusions and not hold_constant
    and breakdown is none and steps | length <= 18 -%}
{%- if plain -%}
{{ insights_funnel_plain(relation, project, steps, start, end, window_ms, keys, where, actor, attempts, disjoint) }}
{%- elif breakdown is none -%}
{{ insights_funnel_paths(
    relation, project, steps, start, end, window_ms, keys, where, actor, order, attempts, tie_grace_ms, exclusions,
    hold_constant, between
) }}
{%- else -%}
with
    valued as (
        {{ insights_funnel_paths(
            relation, project, steps, start, end, window_ms, keys, where, actor, order, attempts, tie_grace_ms, exclusions,
            hold_constant, between, breakdown, attribution
        ) }}
    )
    {%- if top is not none %},

    counted as (
        select
            {%- for key in keys %}
            {{ key }},
            {%- endfor %}
            actor,
            value,
            steps_ms,
            count() over (partition by {% for key in keys %}{{ key }}, {% endfor %}value) as persons
        from valued
    ),

    ranked as (
        select
            {%- for key in keys %}
            {{ key }},
            {%- endfor %}
            actor,
            value,
            steps_ms,
            dense_rank() over (
                {%- if keys %}partition by {{ keys | join(', ') }} {% endif -%}
                order by persons desc, value asc
            ) as place
        from counted
    )

select
    {%- for key in keys %}
    {{ key }},
    {%- endfor %}
    actor,
    multiIf(place > {{ top }}, '(other)', value = '', '(none)', value) as breakdown,
    multiIf(place > {{ top }}, 'other', value = '', 'none', 'value') as breakdown_kind,
    -- In the rest an actor counts once too. Of equal attempts the earliest entry counts.
    argMin(steps_ms, (-toInt64(length(steps_ms)), steps_ms)) as steps_ms
from ranked
group by {% for key in keys %}{{ key }}, {% endfor %}actor, breakdown, breakdown_kind
    {%- else %}

select
    {%- for key in keys %}
    {{ key }},
    {%- endfor %}
    actor,
    if(value = '', '(none)', value) as breakdown,
    if(value = '', 'none', 'value') as breakdown_kind,
    steps_ms
from valued
    {%- endif %}
{%- endif -%}
{%- endmacro -%}
