{#-
    How a revenue property comes in from the clients of Segment, RudderStack, Amplitude, Mixpanel, PostHog and Snowplow.
    `properties` is the SQL expression of an event's JSON, `event` that of its name.
-#}

{#-
    The amount, Nullable(Decimal(38, 6)), rounded half away from zero: `revenue`; else, as Amplitude's libraries send it,
    `$revenue`, or `$price` times `$quantity` (1 when that is missing); else the `total` of an 'Order Completed' (Segment) or a
    'transaction' (Snowplow).
-#}
{%- macro insights_revenue_amount(event, properties) -%}
{#- Few events have one: to look for the names first saves reading the others' JSON. Keys may hold escapes. -#}
if(
    {{ event }} in ('Order Completed', 'transaction')
    or multiSearchAny({{ properties }}, ['revenue', '$price', '\\u']),
    CAST(
        round(coalesce(
            {{ insights_revenue_number(properties, 'revenue', 15) }},
            {{ insights_revenue_number(properties, '$revenue', 15) }},
            {{ insights_revenue_number(properties, '$price', 9) }}
            * ifNull({{ insights_revenue_number(properties, '$quantity', 6) }}, 1),
            if(
                {{ event }} in ('Order Completed', 'transaction'),
                {{ insights_revenue_number(properties, 'total', 15) }},
                null
            )
        ), 6),
        'Nullable(Decimal(38, 6))'
    ),
    null
)
{%- endmacro -%}

{#-
    The currency, in capitals: `currency`, else Amplitude's `$currency`; empty where there is none, and '(other)' for what is no
    code of three to five letters, so that a client which writes something else there makes no thousand currencies.
-#}
{%- macro insights_revenue_currency(properties) -%}
{%- set named -%}
coalesce(
    nullIf(JSONExtractString({{ properties }}, 'currency'), ''),
    JSONExtractString({{ properties }}, '$currency')
)
{%- endset -%}
{{ insights_revenue_currency_of(named) }}
{%- endmacro -%}

{#- The same of a text that names it, String or Nullable(String). -#}
{%- macro insights_revenue_currency_of(named) -%}
arrayMap(
    code -> multiIf(code = '', '', match(code, '^[A-Z]{3,5}$'), code, '(other)'),
    [upper(trimBoth(ifNull({{ named }}, '')))]
)[1]
{%- endmacro -%}

{#-
    A number, written as one or as text, Nullable(Decimal(76, 18)). One with more than `digits` digits before the point is none,
    so that neither a product nor a sum can overflow.
-#}
{%- macro insights_revenue_number(properties, name, digits) -%}
{{ insights_revenue_decimal("JSONExtract(" ~ properties ~ ", '" ~ name ~ "', 'Nullable(String)')", digits) }}
{%- endmacro -%}

{#- The amount that a text of one's own says, Nullable(Decimal(38, 6)), rounded in the same way. -#}
{%- macro insights_revenue_amount_of(text) -%}
CAST(round({{ insights_revenue_decimal(text, 15) }}, 6), 'Nullable(Decimal(38, 6))')
{%- endmacro -%}

{#- The number that a text says, Nullable(Decimal(76, 18)). -#}
{%- macro insights_revenue_decimal(text, digits) -%}
toDecimal256OrNull(extract(
    ifNull({{ text }}, ''),
    '^[-+]?(?:[0-9]{1,{{ digits }}}(?:[.][0-9]*)?|[.][0-9]+)(?:[eE]-[0-9]{1,2})?$'
), 18)
{%- endmacro -%}
