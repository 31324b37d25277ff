{#-
    Unique persons of each bucket and of the buckets before it, itself included: over days and trailing 1, 7 and 30 the
    DAU, WAU and MAU of each day; trailing 1 the unique persons per day, week or month.

    Columns: trailing (how many buckets, UInt32), bucket and bucket_end (DateTime64(0, 'UTC')), utc_offset_s, persons
    (exact), is_complete (the bucket has ended at `now`). Grain: one row per trailing and bucket that [start, end) touches;
    buckets are taken whole. Order: keys, trailing, bucket. With `keys` only rows with persons are there. A date that the
    zone skipped counts among the trailing days, and has no row of its own.

    `activity` is a relation of activity (see activity.sql) that reaches back to max(trailing) - 1 buckets before the range.
    `trailings` is an SQL array of different numbers from 1, such as [1, 7, 30]; `interval` is 'day', 'week' or 'month'.

    How it works: to merge 30 sets for each of 90 days would take 2,700 merges. Instead the buckets are cut into blocks of
    as many as trail. Any window of that length is the end of one block and the beginning of the next one, and both are
    running unions, forwards and backwards: two merges for each day, whatever the length.
-#}
{%- macro insights_active_persons(
    activity, start, end, interval, timezone, trailings, week_start='1', now='now64(3)', keys=[]
) -%}
{%- set origin = insights_bucket(start, interval, timezone, week_start) -%}
{%- set last = insights_last_bucket(end, interval, timezone, week_start) -%}
{%- set origin_number = insights_bucket_number(origin, interval) -%}
with
    -- Buckets are counted from the range's first one, which is 0.
    placed as (
        select
            {%- for key in keys %}
            {{ key }},
            {%- endfor %}
            {{ insights_bucket_distance(
                origin_number, insights_bucket_number('bucket', interval), interval
            ) }} as place,
            actors
        from ({{ activity }}) as activity
        where
            bucket <= {{ last }}
            and place > -toInt64(arrayMax({{ trailings }}))
            and {{ start }} < {{ end }}
    ),

    sets as (
        select
            {%- for key in keys %}
            {{ key }},
            {%- endfor %}
            place,
            groupBitmapMergeState(actors) as actors
        from (
            select
                {%- for key in keys %}
                {{ key }},
                {%- endfor %}
                place,
                actors
            from placed
            union all
            -- A bucket without activity ends windows too.
            select
                {%- for key in keys %}
                {{ key }},
                {%- endfor %}
                arrayJoin(range(earliest, latest + 1)) as place,
                bitmapBuild(emptyArrayUInt32()) as actors
            from (
                select
                    {%- for key in keys %}
                    {{ key }},
                    {%- endfor %}
                    {% if keys -%}
                    greatest(min(place), 0) + 1 - toInt64(arrayMax({{ trailings }})) as earliest,
                    least(
                        max(place) + toInt64(arrayMax({{ trailings }})),
                        {{ insights_bucket_distance(origin_number, insights_bucket_number(last, interval), interval) }}
                    ) as latest
                from placed
                group by {{ keys | join(', ') }}
                    {%- else -%}
                    1 - toInt64(arrayMax({{ trailings }})) as earliest,
                    {{ insights_bucket_distance(origin_number, insights_bucket_number(last, interval), interval) }} as latest
                where {{ start }} < {{ end }}
                    {%- endif %}
            ) as span
        ) as found
        group by {% for key in keys %}{{ key }}, {% endfor %}place
    ),

    unions as (
        select
            {%- for key in keys %}
            {{ key }},
            {%- endfor %}
            trailing,
            place,
            groupBitmapMergeState(actors) over (
                partition by {% for key in keys %}{{ key }}, {% endfor %}trailing, intDiv(place + trailing, trailing)
                order by place rows between unbounded preceding and current row
            ) as of_block_until,
            groupBitmapMergeState(actors) over (
                partition by {% for key in keys %}{{ key }}, {% endfor %}trailing, intDiv(place + trailing, trailing)
                order by place desc rows between unbounded preceding and current row
            ) as of_block_since
        from sets
        array join arrayMap(buckets -> toInt64(buckets), {{ trailings }}) as trailing
        where place > -trailing
    ),

    counted as (
        select
            {%- for key in keys %}
            {{ key }},
            {%- endfor %}
            trailing,
            if(is_since, place + trailing - 1, place) as at,
            groupBitmapMerge(if(is_since, of_block_since, of_block_until)) as persons
        from unions
        array join [false, true] as is_since
        group by {% for key in keys %}{{ key }}, {% endfor %}trailing, at
    ),

    dated as (
        select
            {%- for key in keys %}
            {{ key }},
            {%- endfor %}
            trailing,
            {{ insights_bucket_add(origin, 'at', interval) }} as bucket,
            persons
        from counted
        where
            at >= 0
            and bucket <= {{ last }}
            {%- if keys %}
            and persons > 0
            {%- endif %}
            {%- if interval == 'day' %}
            and {{ insights_bucket(insights_bucket_start('bucket', interval, timezone), interval, timezone) }} = bucket
            {%- endif %}
    )

select
    {%- for key in keys %}
    dated.{{ key }} as {{ key }},
    {%- endfor %}
    toUInt32(dated.trailing) as trailing,
    {{ insights_bucket_start('dated.bucket', interval, timezone) }} as bucket,
    {{ insights_bucket_end('dated.bucket', interval, timezone) }} as bucket_end,
    {{ insights_utc_offset_s(insights_bucket_start('dated.bucket', interval, timezone), timezone) }} as utc_offset_s,
    dated.persons as persons,
    bucket_end <= {{ now }} as is_complete
from dated
order by {% for key in keys %}{{ key }}, {% endfor %}trailing, bucket
{%- endmacro -%}

{#-
    The numbers of those who were active in a bucket or the ones that trail it. Columns: actor (UInt32).
    Order: actor. `at` names the bucket as the column bucket does, `trailing` is the number of buckets, itself included.
-#}
{%- macro insights_active_persons_list(
    activity, at, interval, timezone, trailing='1', week_start='1'
) -%}
{%- set bucket = insights_named_bucket(at, interval, timezone, week_start) -%}
select arrayJoin(bitmapToArray(groupBitmapMergeState(actors))) as actor
from ({{ activity }}) as activity
where
    bucket <= {{ bucket }}
    and bucket > {{ insights_bucket_add(bucket, '-toInt32(' ~ trailing ~ ')', interval) }}
order by actor
{%- endmacro -%}
