{#- The id of a derived session: a function of what it is, so that every run gives the same one. -#}
{% macro derived_session_id(relation) -%}
    concat(
        'derived:',
        lower(hex(sipHash128({{ relation }}.person_id, {{ relation }}.sdk_session_id, {{ relation }}.started_at)))
    )
{%- endmacro %}
