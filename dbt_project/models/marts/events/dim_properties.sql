{{ config(order_by='(project_id, source, group_type, event, property)') }}

{%- set place = ['project_id', 'source', 'group_type', 'event_name'] %}
{%- set sums = ['events', 'strings', 'datetimes', 'numbers', 'booleans', 'arrays', 'objects', 'nulls'] %}

with days as (
    select
        project_id,
        source,
        group_type,
        -- The properties of all events together have no event's name.
        arrayJoin(if(source = 'event', [event, ''], [''])) as event_name,
        property,
        {{ sums | join(',\n        ') }},
        distinct_values,
        has_more_values,
        examples,
        first_seen_at,
        last_seen_at
    from {{ ref('agg_properties_daily') }}
),

names as (
    select
        {{ place | join(',\n        ') }},
        property,
        sum(events) as occurrences
    from days
    where property != '(other)'
    group by {{ place | join(', ') }}, property
    order by occurrences desc, property asc
    limit {{ max_properties() }} by {{ place | join(', ') }}
),

collected as (
    select
        {{ place | join(',\n        ') }},
        if(
            ({{ place | join(', ') }}, property) in (
                select
                    {{ place | join(',\n                    ') }},
                    property
                from names
            ),
            property,
            '(other)'
        ) as kept_property,
        {%- for column in sums %}
        sum({{ column }}) as {{ column }}_in_all,
        {%- endfor %}
        {{ values_sketch('Merge', 'distinct_values') }} as values_in_all,
        {{ few_values('Array', 'examples') }} as few_examples,
        [
            {%- for salt in example_salts() %}
            argMinArray(examples, arrayMap(example -> {{ example_hash('example', salt) }}, examples))
            {{- ',' if not loop.last }}
            {%- endfor %}
        ] as least_examples,
        toBool(max(has_more_values) or length(few_examples) > {{ max_listed_values() }}) as has_more,
        min(first_seen_at) as first_at,
        max(last_seen_at) as last_at
    from days
    group by {{ place | join(', ') }}, kept_property
)

select
    project_id,
    source,
    group_type,
    toLowCardinality(event_name) as event,
    kept_property as property,
    {%- for column in sums %}
    {{ column }}_in_all as {{ column }},
    {%- endfor %}
    values_in_all as distinct_values,
    has_more as has_more_values,
    arraySort(if(has_more, arrayDistinct(least_examples), few_examples)) as examples,
    first_at as first_seen_at,
    last_at as last_seen_at
from collected
