{#-
    A view, read by fct_events only: what is looked up here is looked up anew in every run, so that a better database or
    list counts for all history.
-#}
{{ config(materialized='view') }}

{%- set passed = [
    'project_id', 'message_id', 'type', 'event', 'person_id', 'session_id', 'group_type', 'group_id', 'timestamp',
    'received_at', 'sequence', 'properties', 'traits', 'traits_once', 'traits_increment', 'loaded_at', 'page_url', 'page_host', 'page_path',
    'page_query', 'page_fragment', 'page_title', 'referrer', 'referrer_host', 'utm_source', 'utm_medium',
    'utm_campaign', 'utm_term', 'utm_content', 'click_id_type', 'click_id', 'screen_width', 'screen_height',
    'screen_density', 'locale', 'device_timezone', 'library',
] %}
{%- set looked_up = [
    'user_agent', 'ip', 'country', 'said_country', 'said_region', 'said_city', 'said_os', 'said_os_version',
    'said_device_type',
] %}

with events as (
    select {{ (passed + looked_up) | join(', ') }}
    from {{ ref('int_events_identified') }}
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

results as (
    select
        project_id,
        message_id,
        enrichments
    from {{ ref('int_enrichments_merged') }}
),

joined as (
    select
        {%- for column in passed %}
        events.{{ column }} as {{ column }},
        {%- endfor %}
        agents.browser as browser,
        agents.browser_version as browser_version,
        agents.device_brand as device_brand,
        agents.is_bot as is_bot,
        if(agents.os != '', agents.os, events.said_os) as os,
        if(agents.os != '', agents.os_version, events.said_os_version) as os_version,
        -- Segment's libraries on telephones say ios and android for the type of the device.
        multiIf(
            events.said_device_type in ('desktop', 'mobile', 'tablet', 'tv', 'console', 'wearable'),
            events.said_device_type,
            agents.device_type != '', toString(agents.device_type),
            events.said_device_type in ('ios', 'android'), 'mobile',
            ''
        ) as device_type,
        match(events.said_country, '^[A-Z]{2}$') as is_place_said,
        multiIf(
            is_place_said, toString(events.said_country),
            addresses.country != '', toString(addresses.country),
            toString(events.country)
        ) as country,
        if(is_place_said, toString(events.said_region), toString(addresses.region)) as region,
        if(is_place_said, toString(events.said_city), toString(addresses.city)) as city,
        campaign_sources.source_type as campaign_type,
        referrer_sources.source_name as referrer_name,
        events.referrer_host != '' and (
            events.referrer_host = events.page_host
            or cutToFirstSignificantSubdomain(events.referrer_host) != ''
            and cutToFirstSignificantSubdomain(events.referrer_host)
            = cutToFirstSignificantSubdomain(events.page_host)
        ) as is_internal,
        multiIf(
            is_internal, 'internal',
            referrer_sources.source_type != '', referrer_sources.source_type,
            events.referrer_host != '', 'external',
            events.page_url != '' or events.page_path != '', 'direct',
            ''
        ) as referrer_type,
        results.enrichments as enrichments
    from events
    left join agents on events.user_agent = agents.user_agent
    left join addresses on events.ip = addresses.ip
    left join sources as campaign_sources on lower(events.utm_source) = campaign_sources.source
    left join sources as referrer_sources on events.referrer_host = referrer_sources.source
    left join results on events.project_id = results.project_id and events.message_id = results.message_id
)

select
    {{ passed | join(', ') }},
    toLowCardinality(referrer_type) as referrer_type,
    toLowCardinality(if(is_internal, '', referrer_name)) as referrer_name,
    toLowCardinality(
        {{
            channel(
                source='lower(utm_source)',
                medium='lower(utm_medium)',
                campaign='lower(utm_campaign)',
                click_id_type='click_id_type',
                source_type="if(utm_source = '' and not is_internal, referrer_type, campaign_type)",
                is_internal='is_internal',
                has_referrer="referrer_host != ''",
                has_page="(page_url != '' or page_path != '')",
            )
        }}
    ) as channel,
    toLowCardinality(country) as country,
    toLowCardinality(region) as region,
    toLowCardinality(city) as city,
    browser,
    browser_version,
    toLowCardinality(os) as os,
    toLowCardinality(os_version) as os_version,
    toLowCardinality(device_type) as device_type,
    device_brand,
    is_bot,
    enrichments
from joined
