{#-
    Who is new, who stays, who comes back and who is gone, bucket by bucket.

    Of those active in a bucket: `new` (their first activity ever), `returning` (active in the bucket before too),
    `resurrecting` (neither: active before, but not in the bucket before). Of those who are not: `dormant` (active in the
    bucket before). new + returning + resurrecting = active, exactly.

    Columns: bucket and bucket_end (DateTime64(0, 'UTC')), utc_offset_s, new_persons, returning_persons,
    resurrecting_persons, dormant_persons (Int64, negative), active_persons, is_complete (the bucket has ended at `now`).
    Grain: one row per bucket that [start, end) touches; buckets are taken whole. Order: keys, bucket. With `keys` only
    buckets in which somebody is active or dormant have rows.

    `activity` is a relation of activity (see activity.sql) that reaches back to the first event: who is new is told from
    all of it. `interval` is 'hour', 'day', 'week' or 'month'; `start` and `end` are instants.
-#}
{%- macro insights_lifecycle(
    activity, start, end, interval, timezone, week_start='1', now='now64(3)', keys=[]
) -%}
with
    statuses as (
        {{ insights_lifecycle_sets(
            activity,
            insights_bucket(start, interval, timezone, week_start),
            insights_last_bucket(end, interval, timezone, week_start),
            interval,
            timezone,
            week_start,
            keys,
        ) | indent(8) }}
    ),

    counted as (
        select
            {%- for key in keys %}
            {{ key }},
            {%- endfor %}
            bucket,
            bitmapAndnotCardinality(actors, seen) as fresh,
            bitmapAndCardinality(actors, previous) as returning,
            bitmapCardinality(actors) as active,
            bitmapCardinality(previous) as active_before
        from statuses
        where {{ start }} < {{ end }}
    ),

    filled as (
        select
            {%- for key in keys %}
            {{ key }},
            {%- endfor %}
            bucket,
            fresh,
            returning,
            active,
            active_before
        from counted
        {%- if not keys %}
        union all
        select
            bucket,
            0 as fresh,
            0 as returning,
            0 as active,
            0 as active_before
        from ({{ insights_buckets(start, end, interval, timezone, week_start) }}) as touched
        {%- endif %}
    )

select
    {%- for key in keys %}
    filled.{{ key }} as {{ key }},
    {%- endfor %}
    {{ insights_bucket_start('filled.bucket', interval, timezone) }} as bucket,
    {{ insights_bucket_end('filled.bucket', interval, timezone) }} as bucket_end,
    {{ insights_utc_offset_s(insights_bucket_start('filled.bucket', interval, timezone), timezone) }} as utc_offset_s,
    sum(filled.fresh) as new_persons,
    sum(filled.returning) as returning_persons,
    active_persons - new_persons - returning_persons as resurrecting_persons,
    toInt64(returning_persons) - toInt64(sum(filled.active_before)) as dormant_persons,
    sum(filled.active) as active_persons,
    bucket_end <= {{ now }} as is_complete
from filled
group by {% for key in keys %}filled.{{ key }}, {% endfor %}filled.bucket
{%- if keys %}
having active_persons > 0 or dormant_persons < 0
{%- endif %}
order by {% for key in keys %}{{ key }}, {% endfor %}bucket
{%- endmacro -%}

{#-
    The numbers of those who have one status in one bucket. Columns: actor (UInt32). Order: actor.
    `status` is 'new', 'returning', 'resurrecting', 'dormant' or 'active'; `at` names the bucket as the column bucket does.
-#}
{%- macro insights_lifecycle_persons(
    activity, at, interval, timezone, status, week_start='1'
) -%}
{%- set bucket = insights_named_bucket(at, interval, timezone, week_start) -%}
select arrayJoin(bitmapToArray(
    {%- if status == 'new' %}
    bitmapAndnot(actors, seen)
    {%- elif status == 'returning' %}
    bitmapAnd(actors, previous)
    {%- elif status == 'resurrecting' %}
    bitmapAndnot(bitmapAnd(actors, seen), previous)
    {%- elif status == 'dormant' %}
    bitmapAndnot(previous, actors)
    {%- elif status == 'active' %}
    actors
    {%- endif %}
)) as actor
from (
    {{ insights_lifecycle_sets(activity, bucket, bucket, interval, timezone, week_start, []) | indent(4) }}
)
order by actor
{%- endmacro -%}

{#-
    Sets of each bucket from `first` to `last`: actors (active in it), previous (in the bucket before), seen (in any
    before). Only buckets with actors or previous have rows. Each set stands in its own bucket and, as `previous`, in the one after it; so the sets need no
    join and no row for buckets in which nobody was active.
-#}
{%- macro insights_lifecycle_sets(activity, first, last, interval, timezone, week_start, keys) -%}
select
    {%- for key in keys %}
    {{ key }},
    {%- endfor %}
    bucket,
    actors,
    previous,
    seen
from (
    select
        {%- for key in keys %}
        {{ key }},
        {%- endfor %}
        bucket,
        groupBitmapMergeStateIf(set_actors, not is_previous) as actors,
        groupBitmapMergeStateIf(set_actors, is_previous) as previous,
        groupBitmapMergeState(actors) over (
            {% if keys %}partition by {{ keys | join(', ') }} {% endif -%}
            order by bucket rows between unbounded preceding and 1 preceding
        ) as seen
    from (
        select
            {%- for key in keys %}
            {{ key }},
            {%- endfor %}
            is_previous,
            if(is_previous, {{ insights_next_bucket('set_bucket', interval, timezone, week_start) }}, set_bucket) as bucket,
            set_actors
        from (
            -- What lies well before the range is one set: who is new in the range needs no more of it.
            select
                {%- for key in keys %}
                {{ key }},
                {%- endfor %}
                greatest(bucket, {{ insights_bucket_add(first, '-3', interval) }}) as set_bucket,
                groupBitmapMergeState(actors) as set_actors
            from ({{ activity }}) as activity
            where bucket <= {{ last }}
            group by {% for key in keys %}{{ key }}, {% endfor %}set_bucket
        ) as sets
        array join [false, true] as is_previous
    ) as placed
    group by {% for key in keys %}{{ key }}, {% endfor %}bucket
) as statuses
where bucket >= {{ first }} and bucket <= {{ last }}
{%- endmacro -%}
