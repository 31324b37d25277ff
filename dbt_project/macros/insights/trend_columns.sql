{#-
    The columns of insights_trends that stand before its figures, for a macro that gives the figures names of their own; and
    their order, which a query around it does not keep by itself.
-#}
{%- macro insights_trend_columns(keys, breakdown, compare) -%}
{%- for key in keys %}
{{ key }},
{%- endfor %}
{%- if compare %}
period,
bucket_index,
{%- endif %}
bucket,
bucket_end,
utc_offset_s,
{%- if breakdown %}
rank,
is_other,
{%- for expression in breakdown %}
breakdown_{{ loop.index }},
is_none_{{ loop.index }},
{%- endfor %}
{%- endif %}
{%- endmacro -%}

{#- 'current' comes before 'previous' in the order of their text too. -#}
{%- macro insights_trend_order(keys, breakdown, compare) -%}
{{ (keys + (['rank'] if breakdown else []) + (['period'] if compare else []) + ['bucket']) | join(', ') }}
{%- endmacro -%}
