{#-
    Who reached a step of a funnel, or was lost after it (reached it and not the next one).

    Columns: the keys; with a breakdown breakdown and breakdown_kind; actor, entered_at, reached_at (DateTime64(3, 'UTC'):
    the instants of the counted attempt's entry and of its event of this step), steps_reached, steps_ms (of
    all steps that it reached: milliseconds since 1970), is_incomplete (the window has not closed at `now`: who is lost may
    still convert). Grain: one row per actor; with a breakdown per actor and value.
    Order: the latest entry first, then actor.
    `step` is the number of the step, an SQL expression; `lost` Jinja's (false: all who reached it). After the last step
    nobody is lost. The others: those of insights_funnel_attempts in funnel_attempts.sql.
-#}
{%- macro insights_funnel_actors(
    relation, project, steps, start, end, window_ms, step, lost=false, keys=[], breakdown=none, now='now64(3)'
) -%}
{%- set cells = keys + (['breakdown', 'breakdown_kind'] if breakdown is not none else []) -%}
with attempts as (
    {{ insights_funnel_attempts(
        relation, project, steps, start, end, window_ms, keys=keys, breakdown=breakdown, now=now, **kwargs
    ) | indent(4) }}
)

select
    {%- for cell in cells %}
    {{ cell }},
    {%- endfor %}
    actor,
    fromUnixTimestamp64Milli(steps_ms[1], 'UTC') as entered_at,
    fromUnixTimestamp64Milli(steps_ms[{{ step }}], 'UTC') as reached_at,
    toUInt32(length(steps_ms)) as steps_reached,
    steps_ms,
    steps_ms[1] + {{ window_ms }} >= toUnixTimestamp64Milli({{ now }}) as is_incomplete
from (
    select *
    from attempts
    -- None is left out. Without it ClickHouse takes the filter, and a sort that nothing around it wants, into the attempts:
    -- their arrays are computed once for each use of them (18 s for 0.8), and the plan of nine steps takes minutes.
    limit 18446744073709551615
) as attempts
where
    {%- if lost %}
    length(steps_ms) = {{ step }} and length(steps_ms) < {{ steps | length }}
    {%- else %}
    length(steps_ms) >= {{ step }}
    {%- endif %}
order by {% for key in keys %}{{ key }}, {% endfor %}entered_at desc, actor asc
    {%- if breakdown is not none %}, breakdown_kind asc, breakdown asc{% endif %}
{%- endmacro -%}
