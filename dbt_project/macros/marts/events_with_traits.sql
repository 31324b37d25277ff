{#- The events of fct_events with the current traits of their persons, in the column person_traits. -#}
{% macro events_with_traits() -%}
    {{ insights_events_with_traits(ref('fct_events'), ref('dim_persons')) }}
{%- endmacro %}
