{#- The conditions of a funnel whose steps are events by name. -#}
{% macro named_events(names) -%}
    {%- set conditions = [] -%}
    {%- for name in names -%}
        {%- do conditions.append("event = '" ~ name ~ "'") -%}
    {%- endfor -%}
    {{ return(conditions) }}
{%- endmacro %}
