{#-
    One figure per calendar bucket of [start, end); a bucket without events is 0.

    Columns: bucket and bucket_end (DateTime64(0, 'UTC'), the instants at which the bucket begins and ends in `timezone`),
    utc_offset_s (of the zone when the bucket begins), value (UInt64). Order: bucket.
    The first and the last bucket hold what the window cuts out of them. `measure` is 'events', 'persons' (exact) or
    'sessions' (exact); `interval` as in calendar.sql. The others are SQL expressions: `relation` is fct_events,
    `event` the name of the event, or none for any. It is insights_trends with one series.
-#}
{%- macro insights_timeseries(
    relation, project, event, start, end, interval, timezone, measure, week_start='1'
) -%}
select
    bucket,
    bucket_end,
    utc_offset_s,
    assumeNotNull(toUInt64(a)) as value
from (
    {{ insights_trends(
        relation, project,
        [{'condition': 'event = ' ~ event if event else 'true', 'measure': 'actors' if measure == 'persons' else measure}],
        start, end, interval, timezone, week_start, actor='person_number'
    ) }}
)
order by bucket
{%- endmacro -%}
