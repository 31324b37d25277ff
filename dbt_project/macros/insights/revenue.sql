{#-
    Revenue, in one currency or in each apart. What insights_trends makes of amounts, with names of its own: grain, order and
    the columns before the figures are those of insights_trends with the keys, and `currency` as the last of them when
    currencies are told apart; so is what `breakdown`, `top` and `compare` mean.

    Figures: revenue (Nullable(Decimal(38, 6))); orders, buyers (persons with an order), active_persons (with any event);
    average_order_value, revenue_per_buyer, revenue_per_active_person, null where they would divide by 0. All but the
    revenue are Nullable(Float64).

    An order is an event that matches `condition` and has an amount of 0 or more; a negative one, a refund, lowers the revenue
    and is no order. Values of a breakdown are ranked by orders, those of equally many as insights_trends does; active persons
    are those with an event of that value.

    `relation` is fct_events. `amount` is an SQL expression over it, Nullable(Decimal(38, 6)), `currency` one of type String in
    which the missing one is empty and shown as '(none)': see revenue_properties.sql. `in_currency`, an SQL expression, takes
    events in that one; without it, currencies are told apart, and one without an order or refund in what is read has no rows.
    `where` holds for active persons too.

    `rolled`: `relation` is agg_revenue_daily, `active` is agg_persons_daily, `condition` is about `event` alone, `amount`,
    `currency` and `breakdown` are left out, `where` is about projects alone, and the range consists of whole days of the
    project's zone, in no smaller buckets: whoever asks sees to it.
-#}
{%- macro insights_revenue(
    relation, project, condition, start, end, interval, timezone, amount=none, currency=none, in_currency=none,
    week_start='1', where='true', breakdown=[], top='10', keys=[], compare=none, rolled=false, active=none
) -%}
{%- set ranges = [[start, end]] -%}
{%- if compare == 'previous' -%}
{%- set ranges = ranges + [[insights_previous_start(start, end, interval, timezone), start]] -%}
{%- elif compare -%}
{%- set ranges = ranges + [compare] -%}
{%- endif -%}
{%- set is_read -%}
project_id = {{ project }}
and (
    {%- for range in ranges %}
    {{ 'or ' if not loop.first }}({{ insights_trends_within(range[0], range[1], timezone, rolled) }})
    {%- endfor %}
)
{%- endset -%}
{%- set lines = keys + ([] if in_currency else ['currency']) -%}
{%- set columns -%}
project_id,
{%- for key in keys if key != 'project_id' %}
{{ key }},
{%- endfor %}
{%- for expression in breakdown %}
{{ expression }} as value_of_{{ loop.index }},
{%- endfor %}
{%- endset -%}
{#- A row of what was paid; those without an amount are left out below. -#}
{%- set paid -%}
select
    {{ columns | indent(4) }}
    {%- if rolled %}
    event_date,
    orders as events,
    persons,
    toNullable(revenue) as amount,
    currency
    {%- else %}
    timestamp,
    person_number,
    {{ amount }} as amount,
    if(empty({{ currency }} as known_currency), '(none)', known_currency) as currency
    {%- endif %},
    false as is_activity
from {{ relation }}
where ({{ condition }}) and ({{ where }}) and isNotNull(amount)
{%- if in_currency %} and currency = {{ in_currency }}{% endif %}
{%- endset -%}
{#- Activity is of no currency: each line has it whole. -#}
{%- set line_currency -%}
{%- if in_currency -%}
{{ in_currency }}
{%- elif keys -%}
arrayJoin(arrayMap(
    line -> line.2,
    arrayFilter(
        line -> line.1 = tuple({{ keys | join(', ') }}),
        (
            select groupUniqArray((tuple({{ keys | join(', ') }}), currency))
            from ({{ paid }})
            where {{ is_read }}
        )
    )
))
{%- else -%}
arrayJoin((
    select groupUniqArray(currency)
    from ({{ paid }})
    where {{ is_read }}
))
{%- endif -%}
{%- endset -%}
{%- set accounts -%}
(
    {{ paid | indent(4) }}
    union all
    select
        {{ columns | indent(8) }}
        {%- if rolled %}
        event_date,
        events,
        persons,
        {%- else %}
        timestamp,
        person_number,
        {%- endif %}
        CAST(null, 'Nullable(Decimal(38, 6))') as amount,
        {{ line_currency | indent(8) }} as currency,
        true as is_activity
    from {{ active if rolled else relation }}
    where {{ where }}
)
{%- endset -%}
{%- set is_order = 'not is_activity' if rolled else 'not is_activity and ifNull(amount >= 0, false)' -%}
{%- set broken = namespace(down=[]) -%}
{%- for expression in breakdown -%}
{%- set broken.down = broken.down + ['value_of_' ~ loop.index] -%}
{%- endfor -%}
select
    {{ insights_trend_columns(lines, breakdown, compare) | indent(4) }}
    a as revenue,
    b as orders,
    c as buyers,
    d as active_persons,
    formula_1 as average_order_value,
    formula_2 as revenue_per_buyer,
    formula_3 as revenue_per_active_person
from (
    {{ insights_trends(
        accounts, project,
        [
            {'condition': 'not is_activity', 'measure': 'exact_sum', 'of': 'amount'},
            {'condition': is_order, 'measure': 'events'},
            {'condition': is_order, 'measure': 'actors'},
            {'condition': 'is_activity', 'measure': 'actors'},
        ],
        start, end, interval, timezone, week_start, keys=lines,
        formulas=['toFloat64(a) / nullIf(b, 0)', 'toFloat64(a) / nullIf(c, 0)', 'toFloat64(a) / nullIf(d, 0)'],
        breakdown=broken.down, top=top, compare=compare, rolled=rolled, ranked_by=is_order
    ) | indent(4) }}
)
order by {{ insights_trend_order(lines, breakdown, compare) }}
{%- endmacro -%}
