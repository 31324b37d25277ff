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
