{#- A session ends at the latest this long after its first event. -#}
{% macro session_cap_ms() -%}
    {{ 24 * 60 * 60 * 1000 }}
{%- endmacro %}
