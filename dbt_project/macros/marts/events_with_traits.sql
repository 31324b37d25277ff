{#- The events of fct_events with the current traits of their persons, in the column person_traits. -#}
{% macro events_with_traits() -%}
    (
        select
            events.*,
            persons.traits as person_traits
        from {{ ref('fct_events') }} as events
        left join {{ ref('dim_persons') }} as persons
            on events.project_id = persons.project_id and events.person_number = persons.person_number
    )
{%- endmacro %}
