{{
    config(
        materialized='repaired',
        unique_key=['project_id', 'received_date'],
        stale_keys='stale_days',
        all_stale='rebuilds_days',
        order_by='(project_id, source, group_type, event, property, received_date)',
        pre_hook='{{ count_days() }}',
        post_hook='{{ settle_days() }}',
    )
}}

{%- set place = ['project_id', 'received_date', 'source', 'group_type', 'event'] %}

with events as (
    select
        project_id,
        toDate(received_at) as received_date,
        timestamp,
        type,
        event as event_name,
        group_type as kind_of_group,
        group_id,
        properties,
        traits,
        traits_once,
        traits_increment
    from {{ ref('stg_collector__events') }}
    {%- if not rebuilds_days() %}
    where (project_id, toDate(received_at)) in ({{ stale_days(['project_id', 'received_date']) }})
    {%- endif %}
),

parts as (
    select
        project_id,
        received_date,
        timestamp,
        type,
        event_name,
        kind_of_group,
        group_id,
        arrayJoin([(1, properties), (2, traits), (3, traits_once), (4, traits_increment)]) as part
    from events
),

-- Traits are the same whichever event brings them: only for properties its name is told apart. A group's traits are
-- those that are set by an event which names one.
objects as (
    select
        project_id,
        received_date,
        timestamp,
        part.1 as number,
        part.2 as object,
        toLowCardinality(multiIf(number = 1, 'event', type = 'group', 'group', 'person')) as source,
        toLowCardinality(if(source = 'group', toString(kind_of_group), '')) as group_type,
        toLowCardinality(if(source = 'event', toString(event_name), '')) as event
    from parts
    where
        object != ''
        and (number = 1 or type != 'group' or (number = 2 and kind_of_group != '' and group_id != ''))
),

names as (
    select
        {{ place | join(',\n        ') }},
        arrayJoin(JSONExtractKeys(object)) as property,
        count() as events
    from objects
    where length(property) <= {{ max_property_name() }}
    group by {{ place | join(', ') }}, property
    order by events desc, property asc
    limit {{ max_properties() }} by {{ place | join(', ') }}
),

members as (
    select
        {{ place | join(',\n        ') }},
        timestamp,
        arrayJoin(JSONExtractKeysAndValuesRaw(object)) as member
    from objects
),

typed as (
    select
        {{ place | join(',\n        ') }},
        timestamp,
        if(
            ({{ place | join(', ') }}, member.1) in (
                select
                    {{ place | join(',\n                    ') }},
                    property
                from names
            ),
            member.1,
            '(other)'
        ) as property,
        member.2 as value,
        substring(value, 1, 1) as opening,
        if(opening = '"', JSONExtractString(value), value) as text,
        if(length(text) <= 100, text, leftUTF8(text, 100)) as example,
        opening = '"'
        and match(
            text, '^\\d{4}-\\d\\d-\\d\\d([T ]\\d\\d:\\d\\d(:\\d\\d([.,]\\d+)?)?(Z|[+-]\\d\\d:?\\d\\d)?)?$'
        ) as is_datetime
    from members
),

counted as (
    select
        {{ place | join(',\n        ') }},
        property,
        count() as events,
        countIf(opening = '"' and not is_datetime) as strings,
        countIf(is_datetime) as datetimes,
        countIf(opening = '-' or opening between '0' and '9') as numbers,
        countIf(opening in ('t', 'f')) as booleans,
        countIf(opening = '[') as arrays,
        countIf(opening = '{') as objects,
        countIf(opening = 'n') as nulls,
        {{ values_sketch('StateIf', "value, opening != 'n'") }} as distinct_values,
        {{ few_values('If', "example, opening != 'n'") }} as few_examples,
        [
            {%- for salt in example_salts() %}
            argMinIf(example, {{ example_hash('example', salt) }}, opening != 'n'){{ ',' if not loop.last }}
            {%- endfor %}
        ] as least_examples,
        min(timestamp) as first_seen_at,
        max(timestamp) as last_seen_at
    from typed
    group by {{ place | join(', ') }}, property
)

select
    project_id,
    received_date,
    source,
    group_type,
    event,
    property,
    events,
    strings,
    datetimes,
    numbers,
    booleans,
    arrays,
    objects,
    nulls,
    distinct_values,
    toBool(length(few_examples) > {{ max_listed_values() }}) as has_more_values,
    arraySort(if(has_more_values, arrayDistinct(least_examples), few_examples)) as examples,
    first_seen_at,
    last_seen_at
from counted
