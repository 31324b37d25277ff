{{ config(order_by='source') }}

-- Of each column by itself the engine reads the dictionaries alone.
with hosts_and_sources as (
    select distinct referrer_host as name
    from {{ ref('stg_collector__events') }}
    union all
    select distinct utm_source as name
    from {{ ref('stg_collector__events') }}
),

named as (
    select distinct lower(toString(name)) as source
    from hosts_and_sources
    where name != ''
)

select
    named.source as source,
    {{ traffic_source('source_name', 'named.source', ref('traffic_sources')) | indent(4) }} as source_name,
    {{ traffic_source('source_type', 'named.source', ref('traffic_sources')) | indent(4) }} as source_type
from named
