{#-
    The calendar date of an instant in a project's zone. `toDate32` wants a constant zone; `toString` takes a column.
    Where an event of 1970 happened, it may still have been 1969: a Date begins in 1970.
    A project that has not been copied yet counts in UTC.
-#}
{% macro local_date(instant, timezone) -%}
    toDate32(substring(toString({{ instant }}, if({{ timezone }} = '', 'UTC', {{ timezone }})), 1, 10))
{%- endmacro %}
