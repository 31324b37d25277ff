{{ config(order_by='source') }}

-- Of each column by itself the engine reads the dictionaries alone.
with hosts_and_sources as (
    select distinct referrer_host as name
    from {{ ref('stg_collector__events') }}
    union all
    select distinct utm_source as name
    from {{ ref('stg_collector__events') }}
),

known as (
    select
        source,
        scope,
        source_name,
        source_type
    from {{ ref('traffic_sources') }}
),

hosts as (
    select
        source,
        source_name,
        source_type
    from known
    where scope = 'host'
),

words as (
    select
        source,
        source_name,
        source_type
    from known
    where scope = 'source'
),

brands as (
    select
        source,
        source_name,
        source_type
    from known
    where scope = 'brand'
),

named as (
    select distinct lower(toString(name)) as source
    from hosts_and_sources
),

read as (
    select
        source,
        cutWWW(concat('//', source)) as without_www,
        if(position(source, '.') = 0, source, trim(leading '/' from without_www)) as host,
        cutToFirstSignificantSubdomain(host) as domain,
        if(position(source, '.') = 0, source, firstSignificantSubdomain(host)) as brand
    from named
    where source != ''
)

-- A host of its own (mail.google.com) says more than its domain, and that more than a brand with many domains.
select
    read.source as source,
    multiIf(
        hosts.source_type != '', hosts.source_name,
        words.source_type != '', words.source_name,
        domains.source_type != '', domains.source_name,
        brands.source_name
    ) as source_name,
    multiIf(
        hosts.source_type != '', hosts.source_type,
        words.source_type != '', words.source_type,
        domains.source_type != '', domains.source_type,
        brands.source_type
    ) as source_type
from read
left join hosts on read.host = hosts.source
left join words on read.source = words.source
left join hosts as domains on read.domain = domains.source
left join brands on read.brand = brands.source
