{#-
    One figure per calendar bucket of [start, end); a bucket without events is 0.

    Columns: bucket and bucket_end (DateTime64(0, 'UTC'), the instants at which the bucket begins and ends in `timezone`),
    utc_offset_s (of the zone when the bucket begins), value (UInt64). Order: bucket.
    The first and the last bucket hold what the window cuts out of them. `measure` is 'events', 'persons' (exact) or
    'sessions' (exact); `interval` as in calendar.sql. The others are SQL expressions: `relation` is fct_events,
    `event` the name of the event, or none for any.
-#}
{%- macro insights_timeseries(
    relation, project, event, start, end, interval, timezone, measure, week_start='1'
) -%}
with
    buckets as (
        {{ insights_buckets(start, end, interval, timezone, week_start) }}
    ),

    counted as (
        select
            {{ insights_bucket('timestamp', interval, timezone, week_start) }} as bucket,
            {% if measure == 'events' -%}
            count()
            {%- elif measure == 'persons' -%}
            uniqExact(person_id)
            {%- elif measure == 'sessions' -%}
            uniqExact(session_id)
            {%- endif %} as value
        from {{ relation }}
        where
            project_id = {{ project }}
            {%- if event %}
            and event = {{ event }}
            {%- endif %}
            and timestamp >= {{ start }}
            and timestamp < {{ end }}
        group by bucket
    ),

    filled as (
        select
            bucket,
            value
        from counted
        union all
        select
            bucket,
            toUInt64(0) as value
        from buckets
    )

select
    {{ insights_bucket_start('filled.bucket', interval, timezone) }} as bucket,
    {{ insights_bucket_end('filled.bucket', interval, timezone) }} as bucket_end,
    {{ insights_utc_offset_s(insights_bucket_start('filled.bucket', interval, timezone), timezone) }} as utc_offset_s,
    sum(filled.value) as value
from filled
group by filled.bucket
order by bucket
{%- endmacro -%}
