{#-
    Figures of several series over time, side by side, with formulas over them.

    `series` is a list of up to 26, each with `condition` (SQL over `relation`), `measure` (see measures.sql), `of` (the
    number, for those measures that want one) and, if wanted, `trailing` (a number of buckets n: each bucket
    then measures the last n, itself included; 7 and 30 days make WAU and MAU). `formulas` are SQL expressions over the
    columns a, b, c …; what is not finite, as after a division by 0, is null. `interval` is as in calendar.sql, or 'total'
    for the whole range as one bucket. `breakdown` is a list of up to three expressions, String or Nullable(String), and
    `top` how many of their values are told apart. They are ranked by their events in the range, of those that fit any of the
    series the ones that `ranked_by` holds for, an SQL condition.

    Columns, in this order:
    - the `keys`, by which everything is told apart; only a key with events has rows, and it has every bucket;
    - with `compare`: period ('current', 'previous'), bucket_index (0 … within the period);
    - bucket, bucket_end (DateTime64(0, 'UTC'), the instants at which the bucket begins and ends in `timezone`; of a total,
      those of its period, DateTime64(3, 'UTC')), utc_offset_s (of the zone when the bucket begins);
    - with `breakdown`: rank (1 … `top` by events in the range over all series, an event counting once; `top` + 1 is the
      rest), is_other, and for each expression breakdown_1 … (the value, '(none)', or '(other)') and is_none_1 …. A value
      that reads '(other)' or '(none)' itself keeps its own rank, and these two columns tell it from the real ones;
    - a, b, c … and formula_1, formula_2 …: Nullable(Float64), an exact_sum Nullable(Decimal(38, 6)). Without events a
      count, a distinct count or a sum is 0, all else null.
    Grain: one row per key, rank, period and bucket. Order: the same. The first and the last bucket hold what the range
    cuts out of them.

    `moving_average` (a number of buckets n) averages each series over the last n buckets, leaving out those without a
    value; `cumulative` measures all from the first bucket on, so that actors are a running union. Formulas are taken of
    what comes out. A query that looks back, by a moving average or by `trailing`, reads as many buckets before the range,
    and its first bucket is whole. `compare` is 'previous' for the period of the same length right before, see
    insights_previous_start, or a list of two instants, [from, to); the two must not overlap.

    `rolled`: `relation` is a rollup with project_id, event_date (Date32, in the zone), events (count), persons
    (AggregateFunction(groupBitmap, UInt32)) and what the conditions and the breakdown are about. Then measures are events,
    actors, events_per_actor, and of a column of sums sum and exact_sum; the interval is not 'hour', and the range (and a
    period that is compared) consists of whole days of the zone: whoever asks sees to it.

    How it works: one pass over the events collects the parts of every series by bucket and value (`counted`). They are
    merged, not added: the rest of a breakdown, a trailing bucket and a running union count an actor once.
-#}
{%- macro insights_trends(
    relation, project, series, start, end, interval, timezone, week_start='1', where='true', actor='person_number',
    keys=[], formulas=[], breakdown=[], top='10', compare=none, moving_average=none, cumulative=false, rolled=false,
    ranked_by='true'
) -%}
{%- set letters = 'abcdefghijklmnopqrstuvwxyz' -%}
{%- set shape = namespace(trailing=1) -%}
{%- for one in series -%}
{%- set shape.trailing = [shape.trailing, one.get('trailing') or 1] | max -%}
{%- endfor -%}
{#- A line is what its rank says; `label` is the rest of what is told of it. -#}
{%- set lines = keys + (['rank'] if breakdown else []) -%}
{%- set of_key = (keys | join(', ')) ~ (', ' if keys else '') -%}
{%- set of_line = (lines | join(', ')) ~ (', ' if lines else '') -%}
{%- set of_labelled_line = of_line ~ ('label, ' if breakdown else '') -%}
{%- set look_back = shape.trailing - 1 + (moving_average or 1) - 1 -%}
{%- if compare == 'previous' -%}
{%- set ranges = [[start, end], [insights_previous_start(start, end, interval, timezone), start]] -%}
{%- else -%}
{%- set ranges = [[start, end]] + ([compare] if compare else []) -%}
{%- endif -%}
{#- Of each period where it begins, where it ends, from where it is read, and the buckets from there on. -#}
{%- set periods = [['instants_1[1]', 'instants_1[2]', 'instants_1[3]', 'buckets_1']] -%}
{%- set periods = periods + ([['instants_2[1]', 'instants_2[2]', 'instants_2[3]', 'buckets_2']] if compare else []) -%}
with
    -- Scalar subqueries, so that each is found once: folding them wherever they are used took most of a short query.
    {%- for range in ranges %}
    (
        select [
            toDateTime64({{ range[0] }}, 3, 'UTC'),
            toDateTime64({{ range[1] }}, 3, 'UTC'),
            toDateTime64({{ insights_trends_read_start(range[0], look_back, interval, timezone, week_start) }}, 3, 'UTC')
        ]
    ) as instants_{{ loop.index }},

    (
        {%- if interval == 'total' %}
        select [toUInt8(0)]
        {%- else %}
        select arraySort(groupArray(bucket))
        from ({{ insights_buckets(periods[loop.index0][2], periods[loop.index0][1], interval, timezone, week_start) }})
        {%- endif %}
    ) as buckets_{{ loop.index }},
    {%- endfor %}

    counted as (
        select
            {{ of_key }}{%- for expression in breakdown %}
            nullIf({{ expression }}, '') as value_{{ loop.index }},
            {%- endfor %}
            {%- if breakdown %}
            {{ 'sumIf(events, ' if rolled else 'countIf(' }}
                {{- insights_trends_within(periods[0][0], periods[0][1], timezone, rolled) }} and ({{ ranked_by }})
            ) as events_in_range,
            {%- endif %}
            {%- for one in series %}
            {%- set letter = letters[loop.index0] %}
            {%- for part in insights_measure_parts(one.measure).split(' ') %}
            {%- if rolled %}
            {{ insights_measure_collect_rolled(part, one.condition, one.get('of')) }} as {{ letter }}_{{ part }},
            {%- else %}
            {{ insights_measure_collect(part, one.measure, one.condition, one.get('of'), actor) }} as {{ letter }}_{{ part }},
            {%- endif %}
            {%- endfor %}
            {%- endfor %}
            {%- if compare %}
            -- An event may lie in the one period and before the other.
            {% for period in periods -%}
            {%- set is_within = insights_trends_within(period[2], period[1], timezone, rolled) %}
            {{ '+ ' if not loop.first }}bitShiftLeft(toUInt8({{ is_within }}), {{ loop.index0 }})
            {% endfor -%}
            as periods,
            {%- endif %}
            {% if rolled and interval != 'total' -%}
            {{ insights_date_bucket('event_date', interval, week_start) }} as bucket
            {%- else -%}
            {{ insights_trends_bucket('timestamp', interval, timezone, week_start) }} as bucket
            {%- endif %}
        from {{ relation }}
        where
            project_id = {{ project }}
            and (
                {%- for period in periods %}
                {{ 'or ' if not loop.first }}({{ insights_trends_within(period[2], period[1], timezone, rolled) }})
                {%- endfor %}
            )
            and ({{ where }})
            and (
                {%- for one in series %}
                {{ 'or ' if not loop.first }}({{ one.condition }})
                {%- endfor %}
            )
        group by
            {{ of_key }}{%- for expression in breakdown %}
            value_{{ loop.index }},
            {%- endfor %}
            {%- if compare %}
            periods,
            {%- endif %}
            bucket
    ),
{%- if breakdown %}

    by_value as (
        select
            {{ of_key }}{%- for expression in breakdown %}
            value_{{ loop.index }},
            {%- endfor %}
            sum(events_in_range) as value_events,
            groupArray((
                {{ insights_trends_parts(series) }}{{ ', periods' if compare }}, bucket
            )) as cells
        from counted
        group by
            {{ of_key }}{%- for expression in breakdown %}
            value_{{ loop.index }}{{ ',' if not loop.last }}
            {%- endfor %}
    ),

    ranked as (
        select
            {{ of_key }}{%- for expression in breakdown %}
            value_{{ loop.index }},
            {%- endfor %}
            cells,
            row_number() over (
                {%- if keys %}
                partition by {{ keys | join(', ') }}
                {%- endif %}
                order by
                    value_events desc
                    {%- for expression in breakdown %},
                    value_{{ loop.index }} asc nulls last
                    {%- endfor %}
            ) as value_rank
        from by_value
    ),

    spread as (
        select
            {{ of_key }}least(value_rank, toUInt64({{ top }}) + 1) as rank,
            value_rank > toUInt64({{ top }}) as is_other,
            (
                is_other
                {%- for expression in breakdown %},
                if(is_other, '(other)', ifNull(value_{{ loop.index }}, '(none)')),
                not is_other and isNull(value_{{ loop.index }})
                {%- endfor %}
            ) as label,
            {%- for column in (insights_trends_parts(series) ~ (', periods' if compare else '')).split(', ') %}
            cell.{{ loop.index }} as {{ column }},
            {%- if loop.last %}
            cell.{{ loop.index + 1 }} as bucket
            {%- endif %}
            {%- endfor %}
        from ranked
        array join cells as cell
    ),
{%- endif %}
{%- set source = 'spread' if breakdown else 'counted' %}
{%- set measured = 'accumulated' if cumulative else 'merged' %}
{%- if compare or shape.trailing > 1 %}

    -- Each part of a bucket goes to the buckets that measure it, with how far it lies back from each.
    placed as (
        select
            {{ of_labelled_line }}{{ insights_trends_parts(series) }},
            arrayJoin(arrayConcat(
                {%- for period in periods %}
                if(
                    {{ 'bitTest(periods, ' ~ loop.index0 ~ ')' if compare else 'true' }},
                    {%- if shape.trailing > 1 %}
                    arrayMap(
                        (target, place) -> (toUInt8({{ loop.index0 }}), target, place - 1),
                        arraySlice(
                            {{ period[3] }}, indexOf({{ period[3] }}, {{ source }}.bucket), {{ shape.trailing }}
                        ) as targets_{{ loop.index }},
                        arrayEnumerate(targets_{{ loop.index }})
                    ),
                    {%- else %}
                    [(toUInt8({{ loop.index0 }}), {{ source }}.bucket, 0)],
                    {%- endif %}
                    []
                ){{ ',' if not loop.last }}
                {%- endfor %}
            )) as place
        from {{ source }}
    ),

    parted as (
        select
            {{ of_labelled_line }}{{ insights_trends_parts(series) }},
            place.1 as period,
            place.2 as bucket,
            place.3 as age
        from placed
    ),
{%- else %}

    parted as (
        select
            {{ of_labelled_line }}{{ insights_trends_parts(series) }},
            toUInt8(0) as period,
            bucket
        from {{ source }}
    ),
{%- endif %}

    merged as (
        select
            {{ of_line }}{{ 'any(parted.label) as label, ' if breakdown }}period,
            {%- for one in series %}
            {%- set letter = letters[loop.index0] %}
            {%- set fresh = 'age < ' ~ (one.get('trailing') or 1) if shape.trailing > 1 else none %}
            {%- for part in insights_measure_parts(one.measure).split(' ') %}
            {%- set column = letter ~ '_' ~ part %}
            {{ insights_measure_merge(part, one.measure, 'parted.' ~ column, actor, fresh, not cumulative) }}
            as {{ column }},
            {%- endfor %}
            {%- endfor %}
            bucket
        from parted
        group by {{ of_line }}period, bucket
    ),
{%- if cumulative %}

    accumulated as (
        select
            {{ of_labelled_line }}period,
            {%- for one in series %}
            {%- set letter = letters[loop.index0] %}
            {%- for part in insights_measure_parts(one.measure).split(' ') %}
            {%- set column = letter ~ '_' ~ part %}
            {{ insights_measure_merge(part, one.measure, 'merged.' ~ column, actor) }} over running as {{ column }},
            {%- endfor %}
            {%- endfor %}
            bucket
        from merged
        window running as (
            partition by {{ of_line }}period
            order by bucket asc
            rows between unbounded preceding and current row
        )
    ),
{%- endif %}

    -- Every bucket of every line, without values where it has no events.
    points as (
        select
            {{ of_line }}{{ 'any(' ~ measured ~ '.label) as label, ' if breakdown }}arrayJoin(arrayConcat(
                groupArray((period, bucket
                    {%- for one in series -%}
                    , {{ insights_measure_number(one.measure, letters[loop.index0]) }}
                    {%- endfor %})),
                {%- for period in periods %}
                arrayMap(
                    listed -> (toUInt8({{ loop.index0 }}), listed
                        {%- for one in series %}, CAST(null, '{{ insights_measure_type(one.measure) }}'){% endfor %}),
                    {{ period[3] }}
                ){{ ',' if not loop.last }}
                {%- endfor %}
            )) as point
        from {{ measured }}
        {%- if lines %}
        group by {{ lines | join(', ') }}
        {%- endif %}
    ),

    filled as (
        select
            {{ of_line }}{{ 'any(points.label) as label, ' if breakdown }}point.1 as period,
            {%- for one in series %}
            any(point.{{ loop.index + 2 }}) as {{ letters[loop.index0] }},
            {%- endfor %}
            point.2 as bucket
        from points
        group by {{ of_line }}period, bucket
    ),

    smoothed as (
        select
            {{ of_labelled_line }}period,
            {%- for one in series %}
            {%- set column = 'filled.' ~ letters[loop.index0] %}
            {%- set value = 'anyLast(' ~ column ~ ') over running' if cumulative else column %}
            {%- set value = 'ifNull(' ~ value ~ ', 0)' if insights_measure_is_count(one.measure) == 'yes' else value %}
            toNullable({{ 'avg(' ~ value ~ ') over trailing' if moving_average else value }}) as {{ letters[loop.index0] }},
            {%- endfor %}
            bucket
        from filled
        {%- if cumulative or moving_average %}
        window {{ 'running' if cumulative else 'trailing' }} as (
            partition by {{ of_line }}period
            order by bucket asc
            rows between {{ 'unbounded' if cumulative else moving_average - 1 }} preceding and current row
        )
        {%- endif %}
    )

select
    {{ of_key }}{%- if compare %}
    if(smoothed.period = 0, 'current', 'previous') as period,
    toUInt32(row_number() over (
        partition by {{ of_line }}smoothed.period
        order by smoothed.bucket asc
    ) - 1) as bucket_index,
    {%- endif %}
    {%- if interval == 'total' %}
    [{{ periods | map(attribute=0) | join(', ') }}][smoothed.period + 1] as bucket,
    [{{ periods | map(attribute=1) | join(', ') }}][smoothed.period + 1] as bucket_end,
    {%- else %}
    {{ insights_bucket_start('smoothed.bucket', interval, timezone) }} as bucket,
    {{ insights_bucket_end('smoothed.bucket', interval, timezone) }} as bucket_end,
    {%- endif %}
    {{ insights_utc_offset_s('bucket', timezone) }} as utc_offset_s,
    {%- if breakdown %}
    rank,
    label.1 as is_other,
    {%- for expression in breakdown %}
    label.{{ 2 * loop.index }} as breakdown_{{ loop.index }},
    label.{{ 2 * loop.index + 1 }} as is_none_{{ loop.index }},
    {%- endfor %}
    {%- endif %}
    {%- for one in series %}
    smoothed.{{ letters[loop.index0] }} as {{ letters[loop.index0] }}{{ ',' if formulas or not loop.last }}
    {%- endfor %}
    {%- for formula in formulas %}
    if(isFinite(toFloat64({{ formula }})), toNullable(toFloat64({{ formula }})), null) as formula_{{ loop.index }}{{ ',' if not loop.last }}
    {%- endfor %}
from smoothed
{%- if look_back %}
where
    {%- for period in periods %}
    {{ 'or ' if not loop.first }}(smoothed.period = {{ loop.index0 }} and smoothed.bucket >= {{ insights_bucket(period[0], interval, timezone, week_start) }})
    {%- endfor %}
{%- endif %}
order by
    {{ of_key }}{%- if breakdown %}
    rank,
    {%- endif %}
    smoothed.period,
    smoothed.bucket
{%- endmacro -%}

{#- Whether an event, or a row of a rollup by day, lies in the range between two instants. -#}
{%- macro insights_trends_within(start, end, timezone, rolled) -%}
{%- if rolled -%}
event_date >= {{ insights_bucket(start, 'day', timezone) }} and event_date <= {{ insights_last_bucket(end, 'day', timezone) }}
{%- else -%}
timestamp >= {{ start }} and timestamp < {{ end }}
{%- endif -%}
{%- endmacro -%}

{#- The columns of all parts of all series, with commas. -#}
{%- macro insights_trends_parts(series) -%}
{%- for one in series -%}
{%- set letter = 'abcdefghijklmnopqrstuvwxyz'[loop.index0] -%}
{{ ', ' if not loop.first }}{{ letter }}_{{ insights_measure_parts(one.measure).replace(' ', ', ' ~ letter ~ '_') }}
{%- endfor -%}
{%- endmacro -%}

{#- The bucket of an instant; a total has one only. -#}
{%- macro insights_trends_bucket(instant, interval, timezone, week_start) -%}
{{ 'toUInt8(0)' if interval == 'total' else insights_bucket(instant, interval, timezone, week_start) }}
{%- endmacro -%}
