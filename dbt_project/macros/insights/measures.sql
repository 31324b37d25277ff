{#-
    What a trend can measure of the events of a bucket, in three stages: parts are collected in one pass over the events,
    merged from bucket to bucket and from value to value without losing exactness, and made into one number in the end.

    Measures: events; actors and sessions (exact); of a numeric expression sum, avg, min, max, median, p90, p95, p99
    (linear between closest ranks); events_per_actor, sum_per_actor. A number that is missing or not finite is skipped,
    and so is its event in sum_per_actor: that divides by the actors who have a number. Of a Nullable(Decimal(38, 6))
    exact_sum, which is one too: money, added without rounding.
-#}

{#- The parts of a measure, separated by spaces. -#}
{%- macro insights_measure_parts(measure) -%}
{%- if measure in ['actors', 'sessions', 'sum', 'exact_sum', 'min', 'max'] -%}
{{ measure }}
{%- elif measure == 'events' -%}
events
{%- elif measure == 'avg' -%}
sum numbers
{%- elif measure in ['median', 'p90', 'p95', 'p99'] -%}
quantile
{%- elif measure == 'events_per_actor' -%}
events actors
{%- elif measure == 'sum_per_actor' -%}
sum numeric_actors
{%- endif -%}
{%- endmacro -%}

{#- The function that counts distinct actors: bitmaps where they are dense numbers, else a set. Both are exact. -#}
{%- macro insights_measure_distinct(actor) -%}
{{ 'groupBitmap' if actor == 'person_number' else 'uniqExact' }}
{%- endmacro -%}

{#- The function of a percentile; its combinators stand before its parameter. -#}
{%- macro insights_measure_quantile(measure, combinators) -%}
quantileExactInclusive{{ combinators }}({{ {'median': '0.5', 'p90': '0.9', 'p95': '0.95', 'p99': '0.99'}[measure] }})
{%- endmacro -%}

{#- A part of the events that match `condition`; `number` is the numeric expression, any number or a Nullable one. -#}
{%- macro insights_measure_collect(part, measure, condition, number, actor) -%}
{%- set is_number = '(' ~ condition ~ ') and ifNull(isFinite(toFloat64(' ~ (number or '') ~ ')), false)' -%}
{%- set value = 'assumeNotNull(toFloat64(' ~ (number or '') ~ '))' -%}
{%- if part == 'events' -%}
countIf({{ condition }})
{%- elif part == 'actors' -%}
{{ insights_measure_distinct(actor) }}StateIf({{ actor }}, {{ condition }})
{%- elif part == 'numeric_actors' -%}
{{ insights_measure_distinct(actor) }}StateIf({{ actor }}, {{ is_number }})
{%- elif part == 'sessions' -%}
uniqExactStateIf(session_id, {{ condition }})
{%- elif part == 'sum' -%}
{#- With Kahan's correction: a sum of cents must not depend on the order in which threads come to them. -#}
sumKahanStateIf({{ value }}, {{ is_number }})
{%- elif part == 'exact_sum' -%}
sumIf(ifNull({{ number }}, 0), {{ condition }})
{%- elif part == 'numbers' -%}
countIf({{ is_number }})
{%- elif part in ['min', 'max'] -%}
{{ part }}OrNullStateIf({{ value }}, {{ is_number }})
{%- elif part == 'quantile' -%}
{{ insights_measure_quantile(measure, 'StateIf') }}({{ value }}, {{ is_number }})
{%- endif -%}
{%- endmacro -%}

{#- A part of the rows of a rollup that match `condition`; `number` is its column of sums, for the measures of sums. -#}
{%- macro insights_measure_collect_rolled(part, condition, number) -%}
{%- if part == 'events' -%}
sumIf(events, {{ condition }})
{%- elif part in ['sum', 'exact_sum'] -%}
{{ insights_measure_collect(part, part, condition, number, none) }}
{%- elif part == 'actors' -%}
groupBitmapMergeStateIf(persons, {{ condition }})
{%- endif -%}
{%- endmacro -%}

{#-
    The same part of several rows together. `condition`, when given, leaves rows out. `is_final` makes the state of a part
    into its number; a count is a number all along.
-#}
{%- macro insights_measure_merge(part, measure, column, actor, condition=none, is_final=true) -%}
{%- set suffix = ('' if is_final else 'State') ~ ('If' if condition else '') -%}
{%- set arguments = '(' ~ column ~ (', ' ~ condition if condition else '') ~ ')' -%}
{%- if part in ['events', 'numbers', 'exact_sum'] -%}
sum{{ 'If' if condition }}{{ arguments }}
{%- elif part == 'sum' -%}
sumKahanMerge{{ suffix }}{{ arguments }}
{%- elif part in ['actors', 'numeric_actors'] -%}
{{ insights_measure_distinct(actor) }}Merge{{ suffix }}{{ arguments }}
{%- elif part == 'sessions' -%}
uniqExactMerge{{ suffix }}{{ arguments }}
{%- elif part in ['min', 'max'] -%}
{{ part }}OrNullMerge{{ suffix }}{{ arguments }}
{%- elif part == 'quantile' -%}
{{ insights_measure_quantile(measure, 'Merge' ~ suffix) }}{{ arguments }}
{%- endif -%}
{%- endmacro -%}

{#- The type of a measure. -#}
{%- macro insights_measure_type(measure) -%}
{{ 'Nullable(Decimal(38, 6))' if measure == 'exact_sum' else 'Nullable(Float64)' }}
{%- endmacro -%}

{#- The measure, of its type, of its merged parts, which stand in columns `<prefix>_<part>`. -#}
{%- macro insights_measure_number(measure, prefix) -%}
{%- if measure in ['events', 'actors', 'sessions', 'sum'] -%}
toNullable(toFloat64({{ prefix }}_{{ measure }}))
{%- elif measure == 'exact_sum' -%}
toNullable({{ prefix }}_exact_sum)
{%- elif measure in ['min', 'max'] -%}
{{ prefix }}_{{ measure }}
{%- elif measure == 'avg' -%}
{{ prefix }}_sum / nullIf({{ prefix }}_numbers, 0)
{%- elif measure in ['median', 'p90', 'p95', 'p99'] -%}
{#- Of nothing it is not a number. -#}
if(isNaN({{ prefix }}_quantile), null, {{ prefix }}_quantile)
{%- elif measure == 'events_per_actor' -%}
{{ prefix }}_events / nullIf({{ prefix }}_actors, 0)
{%- elif measure == 'sum_per_actor' -%}
{{ prefix }}_sum / nullIf({{ prefix }}_numeric_actors, 0)
{%- endif -%}
{%- endmacro -%}

{#- Whether a bucket without events has 0 of it; an average of nothing has no value. -#}
{%- macro insights_measure_is_count(measure) -%}
{{ 'yes' if measure in ['events', 'actors', 'sessions', 'sum', 'exact_sum'] else 'no' }}
{%- endmacro -%}
