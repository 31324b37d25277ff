{{ config(order_by='(kind, project_id, key)') }}

with devices as (
    select
        project_id,
        anonymous_id,
        links
    from {{ ref('int_devices_linked') }}
),

users as (
    select
        project_id,
        user_id,
        merged_user_id
    from {{ ref('int_users_merged') }}
),

sdk_sessions as (
    select
        project_id,
        sdk_session_key
    from {{ ref('int_sdk_sessions') }}
    where dateDiff('millisecond', first_at, last_at) >= {{ session_cap_ms() }}
),

projects as (
    select
        project_id,
        timezone,
        session_gap_minutes
    from {{ ref('stg_collector__projects') }}
),

sources as (
    select
        source,
        source_name,
        source_type
    from {{ ref('int_traffic_sources_classified') }}
),

agents as (
    select
        user_agent,
        browser,
        browser_version,
        os,
        os_version,
        device_type,
        device_brand,
        is_bot
    from {{ ref('int_user_agents_latest') }}
),

addresses as (
    select
        ip,
        country,
        region,
        city
    from {{ ref('int_addresses_latest') }}
),

-- Results of the operator's own processors, of which there is one per event: told apart by the minute they came in.
results as (
    select
        project_id,
        toStartOfMinute(processed_at) as processed_minute,
        count() as results
    -- final: a result that was made anew replaces the one before, also while their parts are not merged yet.
    from {{ source('enrichment', 'custom') }} final
    group by project_id, processed_minute
),

backfills as (
    select
        day,
        max(requested_at) as requested_at
    from {{ source('raw', 'backfills') }}
    group by day
)

select
    toLowCardinality('device') as kind,
    project_id,
    anonymous_id as key,
    sipHash64(links) as state
from devices
union all
select
    toLowCardinality('user') as kind,
    project_id,
    user_id as key,
    sipHash64(merged_user_id) as state
from users
union all
select
    toLowCardinality('session') as kind,
    project_id,
    toString(sdk_session_key) as key,
    toUInt64(1) as state
from sdk_sessions
union all
select
    toLowCardinality('project') as kind,
    project_id,
    '' as key,
    sipHash64(timezone, session_gap_minutes) as state
from projects
union all
select
    toLowCardinality('source') as kind,
    toUInt32(0) as project_id,
    source as key,
    sipHash64(source_name, source_type) as state
from sources
union all
select
    toLowCardinality('agent') as kind,
    toUInt32(0) as project_id,
    user_agent as key,
    sipHash64(browser, browser_version, os, os_version, device_type, device_brand, is_bot) as state
from agents
union all
select
    toLowCardinality('address') as kind,
    toUInt32(0) as project_id,
    ip as key,
    sipHash64(country, region, city) as state
from addresses
union all
select
    toLowCardinality('result') as kind,
    project_id,
    toString(toUnixTimestamp(processed_minute)) as key,
    results as state
from results
union all
select
    toLowCardinality('day') as kind,
    toUInt32(0) as project_id,
    toString(day) as key,
    sipHash64(requested_at) as state
from backfills
