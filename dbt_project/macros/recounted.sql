{#-
    Models of how many events and which persons there are, by project, event, day and more. Where events came, went or say
    something else, both are made anew from all events of the name and day. A device that is linked to a user is another
    case: it was there on many days, of which nothing changes but who it counts for. There the counts stay, and the sets
    lose the persons who were touched and get those of them who have such events now. To do so again changes nothing.
-#}

{#- The names and days of which something else is counted. -#}
{% macro recounted(columns) -%}
    {{ touched(columns) }} and is_recounted
{%- endmacro %}

{#- Who was touched, by the other names and days; those of which the table has nothing have nothing to count. -#}
{% macro reassigned(columns) -%}
    {%- set place = ['project_id', 'event', 'event_date'] -%}
    {{ touched(columns) }}
    and ({{ place | join(', ') }}) not in ({{ recounted(place) }})
    and ({{ place | join(', ') }}) in (select {{ place | join(', ') }} from {{ this }})
{%- endmacro %}

{#- The events that such a model reads, of those for which `condition` holds; `columns` are expressions. -#}
{% macro events_to_count(columns, condition='true') -%}
    {%- set person = ['project_id', 'event', 'event_date', 'person_number'] -%}
    select
        {{ columns | join(',\n        ') }}
    from {{ ref('fct_events') }}
    where {{ condition }}
    {%- if not repairs_all() %}
        and {{ is_among(recounted, ['project_id', 'event', 'event_date'], ['event_date']) | indent(8) }}
    union all
    select
        {{ columns | join(',\n        ') }}
    from {{ ref('fct_events') }}
    where {{ condition }}
        and {{ is_among(reassigned, person, ['person_number']) | indent(8) }}
    {%- endif %}
{%- endmacro %}

{#-
    The rows of such a model: `made` is what its events give, with `keys`, `counts` and `persons`. On days whose counts stay
    that are the persons who were touched alone, and the rest stands in the table. Values may be called anything that is not
    taken (core/insights/selections.py), and so may no table here that has columns beside them.
-#}
{% macro with_those_who_stay(made, keys, counts) -%}
    {%- set place = ['project_id', 'event', 'event_date'] -%}
    {%- if repairs_all() -%}
select
    {{ (keys + counts + ['persons']) | join(',\n    ') }}
from {{ made }}
    {%- else -%}
select
    {{ keys | join(',\n    ') }},
    {%- for count in counts %}
    sum({{ count }}) as {{ count }},
    {%- endfor %}
    groupBitmapMergeState(persons) as persons
from (
    select
        {{ keys | join(',\n        ') }},
        {%- for count in counts %}
        if(({{ place | join(', ') }}) in ({{ recounted(place) | indent(8) }}), {{ count }}, 0) as {{ count }},
        {%- endfor %}
        persons
    from {{ made }}
    union all
    select
        {{ (keys + counts) | join(',\n        ') }},
        bitmapAndnot(persons, gone_persons) as persons
    from {{ this }}
    inner join (
        select
            {{ place | join(',\n            ') }},
            groupBitmapState(person_number) as gone_persons
        from ({{ reassigned(place + ['person_number']) | indent(8) }})
        group by {{ place | join(', ') }}
    ) as gone_persons using ({{ place | join(', ') }})
    where ({{ place | join(', ') }}) in ({{ reassigned(place) | indent(4) }})
)
group by {{ keys | join(', ') }}
    {%- endif -%}
{%- endmacro %}
