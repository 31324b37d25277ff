{#-
    The calendar date of an instant in a project's zone. `toDate` wants a constant zone; `toString` takes a column.
    A project that has not been copied yet counts in UTC.
-#}
{% macro local_date(instant, timezone) -%}
    toDate(substring(toString({{ instant }}, if({{ timezone }} = '', 'UTC', {{ timezone }})), 1, 10))
{%- endmacro %}
