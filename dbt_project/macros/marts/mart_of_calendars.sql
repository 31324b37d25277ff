{#-
    A mart of all projects, each in its own calendar: what the block that calls this gives for a calendar, one under the
    other. `columns` are the mart's, name by name with their types. A column of the query has the name of the mart's, or
    `names` has its expression over `found`; a `bucket` becomes bucket_at (the instant at which it begins) and bucket_date
    (the day in the project's zone), a `cohort` cohort_at and cohort_date. `relation` has a row of every project that may
    have any.
-#}
{% macro mart_of_calendars(columns, relation, names={}) -%}
with marts as (
    select
        {%- for name, type in columns.items() %}
        defaultValueOfTypeName('{{ type | replace("'", "''") }}') as "{{ name }}"{{ ',' if not loop.last }}
        {%- endfor %}
    where false
    {%- for calendar in calendars(relation, ref('stg_collector__projects')) %}
    {%- set timezone = "'" ~ calendar['timezone'] ~ "'" %}
    {%- set expressions = {
        'bucket_at': 'found.bucket',
        'bucket_date': 'toDate32(found.bucket, ' ~ timezone ~ ')',
        'cohort_at': 'found.cohort',
        'cohort_date': 'toDate32(found.cohort, ' ~ timezone ~ ')',
    } %}
    {%- do expressions.update(names) %}
    union all
    select
        {%- for name, type in columns.items() %}
        CAST({{ expressions.get(name, 'found.' ~ name) }} as {{ type }}) as "{{ name }}"{{ ',' if not loop.last }}
        {%- endfor %}
    from (
        {{ caller(calendar) | indent(8) }}
    ) as found
    {%- endfor %}
)

select
    "{{ columns | join('",\n    "') }}"
from marts
{%- endmacro %}

{#-
    The last `last` buckets of `interval` in a calendar, the present one included, as arguments of an insight; with `total`
    as one.
-#}
{% macro last_buckets(calendar, interval, last, total=false) -%}
{%- set timezone = "'" ~ calendar['timezone'] ~ "'" -%}
{%- set present = insights_bucket('now64(3)', interval, timezone, calendar['week_start']) -%}
{%- set first = insights_bucket_add(present, '-' ~ (last - 1), interval) -%}
{%- if interval == 'hour' -%}
{#- A clock that changes by half an hour moves the hours between: the first of them is there as a whole. -#}
{%- set first = insights_bucket(first, interval, timezone, calendar['week_start']) -%}
{%- endif -%}
{{ return({
    'start': insights_bucket_start(first, interval, timezone),
    'end': insights_bucket_end(present, interval, timezone),
    'interval': 'total' if total else interval,
    'timezone': timezone,
    'week_start': calendar['week_start'],
}) }}
{%- endmacro %}
