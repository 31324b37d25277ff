{#-
    How traits came to be what they are: CTEs that replay the operations on each trait in the order of events and end in
    `changes`, one row per event that made a trait another one. They read a CTE `operations` with the columns of `keys`,
    `timestamp`, `ordering` (event_order), `message_id`, `operation` (set, set_once or increment), `trait_name` and
    `operand` (as JSON).

    Setting replaces the value, and what the same event adds to it does not count. What is to be set once counts only where
    the trait had no value. An increment is added to the value, which counts as 0 where it is no number.
-#}
{% macro trait_changes(keys) -%}
{%- set trait = keys | join(', ') ~ ', trait_name' -%}
-- What an event does to a trait; a name that an object has twice counts in one form.
steps as (
    select
        {{ trait }},
        ordering,
        any(timestamp) as changed_at,
        any(message_id) as changing_message_id,
        countIf(operation = 'set') > 0 as is_set,
        countIf(operation = 'set_once') > 0 as is_set_once,
        countIf(operation = 'increment') > 0 and not is_set as is_counted,
        maxIf(operand, operation = 'set') as value_set,
        maxIf(operand, operation = 'set_once') as value_set_once,
        if(is_counted, maxIf(operand, operation = 'increment'), '0') as added
    from operations
    group by {{ trait }}, ordering
),

-- Each setting begins a stretch, in which increments are summed up.
stretches as (
    select
        *,
        sum(is_set) over (partition by {{ trait }} order by ordering asc rows unbounded preceding) as stretch,
        row_number() over (partition by {{ trait }} order by ordering asc) = 1 and is_set_once and not is_set as is_first
    from steps
),

-- Whole numbers are added as such: as floating point numbers, those above 2^53 would change.
summed as (
    select
        *,
        first_value(multiIf(is_set, value_set, is_first, value_set_once, '')) over increments as base,
        max(is_counted) over increments as has_increments,
        sum(toInt128OrZero(added)) over increments as whole,
        sum(toFloat64OrZero(added)) over increments as fraction,
        min(match(added, '^-?[0-9]{1,18}$')) over increments and match(if(base = '', '0', base), '^-?[0-9]{1,18}$') as is_whole,
        toFloat64OrZero(base) + fraction as total,
        multiIf(
            not has_increments, base,
            is_whole, toString(toInt128OrZero(base) + whole),
            isFinite(total), toString(total),
            'null'
        ) as value_after
    from stretches
    window increments as (partition by {{ trait }}, stretch order by ordering asc rows unbounded preceding)
),

compared as (
    select
        *,
        lagInFrame(value_after, 1, '') over (
            partition by {{ trait }} order by ordering asc rows between unbounded preceding and unbounded following
        ) as value_before
    from summed
),

changes as (
    select
        {{ trait }},
        changed_at as valid_from,
        leadInFrame(toNullable(changed_at), 1, null) over (
            partition by {{ trait }} order by ordering asc rows between unbounded preceding and unbounded following
        ) as valid_to,
        toLowCardinality(multiIf(is_set, 'set', is_counted, 'increment', 'set_once')) as operation,
        value_before,
        value_after,
        changing_message_id as message_id
    from compared
    where value_after != value_before
)
{%- endmacro %}
