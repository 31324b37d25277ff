{#-
    The instant at which the hour of a project's clock began, as insights_bucket has it for a constant zone. Offsets are
    multiples of 15 minutes, so that the minutes of the zone's clock are told from its text.
-#}
{% macro local_hour(instant, timezone) -%}
    toDateTime64({{ instant }}, 0, 'UTC') - toIntervalSecond(
        toUInt32(substring(toString({{ instant }}, if({{ timezone }} = '', 'UTC', {{ timezone }})), 15, 2)) * 60
        + toSecond({{ instant }})
    )
{%- endmacro %}
