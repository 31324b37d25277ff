{#-
    Events with the current traits of their persons, in the column person_traits: a relation for an insight. `relation` is
    fct_events, `persons` is dim_persons. Grain: one row per event.
-#}
{%- macro insights_events_with_traits(relation, persons) -%}
(
    select
        events.*,
        persons.traits as person_traits
    from {{ relation }} as events
    left join {{ persons }} as persons
        on events.project_id = persons.project_id and events.person_number = persons.person_number
)
{%- endmacro -%}
