{#-
    Calendar buckets. Pure Jinja: no dbt context, SQL expressions come in as text.

    `interval` is 'hour', 'day', 'week' or 'month'. Days, weeks and months are calendar dates in `timezone` (a constant
    SQL expression), so that a day of 23 or 25 hours is one bucket. An hour is a local clock hour told apart by its
    offset: its bucket is the instant at which that hour began. `week_start` is the ISO weekday (1 Monday … 7 Sunday)
    on which a week begins, as an SQL expression.
-#}

{#- The bucket of an instant: a Date, or for hours a DateTime('UTC'). -#}
{%- macro insights_bucket(instant, interval, timezone, week_start='1') -%}
{%- if interval == 'hour' -%}
(toDateTime({{ instant }}, 'UTC') - toIntervalSecond(toMinute({{ instant }}, {{ timezone }}) * 60 + toSecond({{ instant }})))
{%- elif interval == 'day' -%}
toDate({{ instant }}, {{ timezone }})
{%- elif interval == 'week' -%}
(
    toDate({{ instant }}, {{ timezone }})
    - toIntervalDay((toDayOfWeek(toDate({{ instant }}, {{ timezone }})) + 7 - {{ week_start }}) % 7)
)
{%- elif interval == 'month' -%}
toStartOfMonth(toDate({{ instant }}, {{ timezone }}))
{%- endif -%}
{%- endmacro -%}

{#- The instant at which a bucket begins, DateTime('UTC'). -#}
{%- macro insights_bucket_start(bucket, interval, timezone) -%}
{%- if interval == 'hour' -%}
{{ bucket }}
{%- else -%}
toTimeZone(toDateTime({{ bucket }}, {{ timezone }}), 'UTC')
{%- endif -%}
{%- endmacro -%}

{#- The bucket that lies `count` buckets after `bucket`. -#}
{%- macro insights_bucket_add(bucket, count, interval) -%}
{%- if interval == 'hour' -%}
({{ bucket }} + toIntervalHour({{ count }}))
{%- elif interval == 'day' -%}
({{ bucket }} + toIntervalDay({{ count }}))
{%- elif interval == 'week' -%}
({{ bucket }} + toIntervalWeek({{ count }}))
{%- elif interval == 'month' -%}
({{ bucket }} + toIntervalMonth({{ count }}))
{%- endif -%}
{%- endmacro -%}

{#- How many buckets lie between two of them; both are bucket values. -#}
{%- macro insights_bucket_distance(earlier, later, interval) -%}
{%- if interval == 'hour' -%}
intDiv(toInt64(toUnixTimestamp({{ later }})) - toInt64(toUnixTimestamp({{ earlier }})), 3600)
{%- elif interval == 'day' -%}
toInt64({{ later }} - {{ earlier }})
{%- elif interval == 'week' -%}
intDiv(toInt64({{ later }} - {{ earlier }}), 7)
{%- elif interval == 'month' -%}
toInt64(dateDiff('month', {{ earlier }}, {{ later }}))
{%- endif -%}
{%- endmacro -%}

{#-
    Every bucket that the window [start, end) touches, one row each, column `bucket`. They are found by looking at
    instants: a list of dates would hold the ones that a zone skipped. Offsets are multiples of 15 minutes and no day is
    shorter than 23 hours, so one instant every 15 minutes or 12 hours, and the last one, hits each bucket.
-#}
{%- macro insights_buckets(start, end, interval, timezone, week_start='1') -%}
{%- set step_ms = 15 * 60 * 1000 if interval == 'hour' else 12 * 60 * 60 * 1000 -%}
select distinct {{ insights_bucket("fromUnixTimestamp64Milli(instant_ms, 'UTC')", interval, timezone, week_start) }} as bucket
from (
    select arrayJoin(arrayPushBack(
        range(toUnixTimestamp64Milli({{ start }}), toUnixTimestamp64Milli({{ end }}), {{ step_ms }}),
        toUnixTimestamp64Milli({{ end }}) - 1
    )) as instant_ms
    where {{ start }} < {{ end }}
)
{%- endmacro -%}
