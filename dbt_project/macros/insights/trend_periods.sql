{#-
    The instant, DateTime64(3, 'UTC'), at which the period before [start, end) begins that is as long. A range of whole days
    of the zone is shifted by days of the calendar, so that a clock change moves no bucket; one of whole months, when the
    interval is 'month', by months; any other by its length in milliseconds.
-#}
{%- macro insights_previous_start(start, end, interval, timezone) -%}
{%- set units = ['month', 'day'] if interval == 'month' else ['day'] -%}
multiIf(
    {%- for unit in units %}
    {%- set first = insights_bucket(start, unit, timezone) %}
    {%- set last = insights_bucket(end, unit, timezone) %}
    {%- set numbers = [insights_bucket_number(first, unit), insights_bucket_number(last, unit)] %}
    {%- set before = insights_bucket_add(first, '-' ~ insights_bucket_distance(numbers[0], numbers[1], unit), unit) %}
    {{ insights_bucket_start(first, unit, timezone) }} = {{ start }}
    and {{ insights_bucket_start(last, unit, timezone) }} = {{ end }},
    toDateTime64({{ insights_bucket_start(before, unit, timezone) }}, 3, 'UTC'),
    {%- endfor %}
    {{ start }} - toIntervalMillisecond(toUnixTimestamp64Milli({{ end }}) - toUnixTimestamp64Milli({{ start }}))
)
{%- endmacro -%}

{#-
    The instant from which the events of a period are read. One bucket more than is looked back: a day that the zone skipped
    is none, and an hour may be cut short by a clock change.
-#}
{%- macro insights_trends_read_start(start, look_back, interval, timezone, week_start) -%}
{%- if look_back -%}
{%- set first = insights_bucket(start, interval, timezone, week_start) -%}
{{ insights_bucket_start(insights_bucket_add(first, '-' ~ (look_back + 1), interval), interval, timezone) }}
{%- else -%}
{{ start }}
{%- endif -%}
{%- endmacro -%}
