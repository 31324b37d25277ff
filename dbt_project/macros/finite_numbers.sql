{#-
    A JSON object without numbers that no floating point number of 64 bits can hold (`1e400`, which is JSON): they become
    null, as JavaScript writes Infinity. The engine reads nothing at all of an object with one of them, or infinity where
    it has hundreds of digits. Texts stay as they are, and so does every other byte.
    Only objects in which something looks like such a number are taken apart: into texts, numbers and what lies between.
-#}
{% macro finite_numbers(json) -%}
    if(
        match({{ json }}, '[:,\\[]\\s*-?[0-9](?:[0-9.]*[eE]\\+?[0-9]{3}|[0-9]{199})'),
        arrayStringConcat(
            arrayMap(
                token -> if(match(token, '^-?[0-9]') and isInfinite(toFloat64OrZero(token)), 'null', token),
                extractAll({{ json }}, '"(?:[^"\\\\]|\\\\.)*"|-?[0-9][0-9.eE+-]*|[^"0-9-]+')
            )
        ),
        {{ json }}
    )
{%- endmacro %}

{#- The columns of events that hold objects as clients sent them. -#}
{% macro objects() -%}
    {{ return(['properties', 'traits', 'traits_once', 'traits_increment', 'context']) }}
{%- endmacro %}

{#- After a change of the rules, before reread_contexts: what is read from the objects is then read from whole ones. -#}
{% macro mend_objects() -%}
    {%- if execute and is_incremental() and has_rows(this, 'context_rules != ' ~ context_rules()) -%}
    alter table {{ stored(this) }} {{ on_cluster_clause(this) }}
    update
        {%- for column in objects() %}
        {{ column }} = {{ finite_numbers(column) }}{{ ',' if not loop.last }}
        {%- endfor %}
    where context_rules != {{ context_rules() }}
    settings mutations_sync = 2
    {%- endif -%}
{%- endmacro %}
