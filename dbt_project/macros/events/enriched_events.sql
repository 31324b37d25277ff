{#-
    Events with what is looked up of them: where they were, with what, and how their persons came. One row per event, with
    the columns `passed` and `columns`; the latter are among those named below, and enrichments.

    `events` has the columns `passed` and those that enrichment_inputs names for `columns`. `agents` and `addresses` are
    int_user_agents_latest and int_addresses_latest, or those rows of them that may be wanted. `sources` is
    int_traffic_sources_classified; without it hosts and campaigns' sources are looked up in `listed`, the list itself.
    `results` is int_enrichments_merged.
-#}

{#- What is looked up by an event's user agent, of its place, and of its source: names of columns in a text. -#}
{%- macro enriched_columns(way) -%}
    {{ {
        'agent': 'browser browser_version os os_version device_type device_brand is_bot',
        'place': 'country region city',
        'source': 'referrer_type referrer_name channel',
    }[way] }}
{%- endmacro -%}

{#- The columns of events by which these columns are looked up, in a text. -#}
{%- macro enrichment_inputs(columns) -%}
    {%- set inputs = {
        'agent': 'user_agent said_os said_os_version said_device_type',
        'place': 'ip country said_country said_region said_city',
        'source': 'page_url page_host page_path referrer_host utm_source utm_medium utm_campaign click_id_type',
    } -%}
    {%- for way in inputs if columns | select('in', enriched_columns(way).split()) | list -%}
    {{ inputs[way] ~ ' ' }}
    {%- endfor -%}
{%- endmacro -%}

{%- macro enriched_events(events, agents, addresses, passed, columns, sources=none, listed=none, results=none) -%}
{%- set by_agent = columns | select('in', enriched_columns('agent').split()) | list -%}
{%- set by_place = columns | select('in', enriched_columns('place').split()) | list -%}
{%- set by_source = columns | select('in', enriched_columns('source').split()) | list -%}
select
    {{ passed | join(',\n    ') }}
    {%- for column in columns %},
    {%- if column == 'channel' %}
    toLowCardinality(
        {{
            channel(
                source='lower(utm_source)',
                medium='lower(utm_medium)',
                campaign='lower(utm_campaign)',
                click_id_type='click_id_type',
                source_type="if(utm_source = '' and not is_internal, found_referrer_type, campaign_type)",
                is_internal='is_internal',
                has_referrer="referrer_host != ''",
                has_page="(page_url != '' or page_path != '')",
            )
        }}
    ) as channel
    {%- elif column == 'referrer_name' %}
    toLowCardinality(if(is_internal, '', found_referrer_name)) as referrer_name
    {%- elif column in ['referrer_type', 'country', 'region', 'city', 'os', 'os_version', 'device_type'] %}
    toLowCardinality(found_{{ column }}) as {{ column }}
    {%- else %}
    found_{{ column }} as {{ column }}
    {%- endif %}
    {%- endfor %}
from (
    select
        {%- if by_agent %}
        agents.browser as found_browser,
        agents.browser_version as found_browser_version,
        agents.device_brand as found_device_brand,
        agents.is_bot as found_is_bot,
        if(agents.os != '', agents.os, events.said_os) as found_os,
        if(agents.os != '', agents.os_version, events.said_os_version) as found_os_version,
        -- Segment's libraries on telephones say ios and android for the type of the device.
        multiIf(
            events.said_device_type in ('desktop', 'mobile', 'tablet', 'tv', 'console', 'wearable'),
            events.said_device_type,
            agents.device_type != '', toString(agents.device_type),
            events.said_device_type in ('ios', 'android'), 'mobile',
            ''
        ) as found_device_type,
        {%- endif %}
        {%- if by_place %}
        match(events.said_country, '^[A-Z]{2}$') as is_place_said,
        multiIf(
            is_place_said, toString(events.said_country),
            addresses.country != '', toString(addresses.country),
            toString(events.country)
        ) as found_country,
        if(is_place_said, toString(events.said_region), toString(addresses.region)) as found_region,
        if(is_place_said, toString(events.said_city), toString(addresses.city)) as found_city,
        {%- endif %}
        {%- if by_source %}
        {%- if sources %}
        campaign_sources.source_type as campaign_type,
        referrer_sources.source_name as found_referrer_name,
        referrer_sources.source_type as known_referrer_type,
        {%- else %}
        {{ traffic_source('source_type', 'lower(toString(events.utm_source))', listed) | indent(8) }} as campaign_type,
        {{ traffic_source('source_name', 'toString(events.referrer_host)', listed) | indent(8) }} as found_referrer_name,
        {{ traffic_source('source_type', 'toString(events.referrer_host)', listed) | indent(8) }} as known_referrer_type,
        {%- endif %}
        events.referrer_host != '' and (
            events.referrer_host = events.page_host
            or cutToFirstSignificantSubdomain(events.referrer_host) != ''
            and cutToFirstSignificantSubdomain(events.referrer_host)
            = cutToFirstSignificantSubdomain(events.page_host)
        ) as is_internal,
        multiIf(
            is_internal, 'internal',
            known_referrer_type != '', known_referrer_type,
            events.referrer_host != '', 'external',
            events.page_url != '' or events.page_path != '', 'direct',
            ''
        ) as found_referrer_type,
        {%- endif %}
        {%- if results %}
        results.enrichments as found_enrichments,
        {%- endif %}
        {%- for column in (passed + enrichment_inputs(by_source).split()) | unique %}
        events.{{ column }} as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ events }} as events
    {%- if by_agent %}
    left join {{ agents }} as agents on events.user_agent = agents.user_agent
    {%- endif %}
    {%- if by_place %}
    left join {{ addresses }} as addresses on events.ip = addresses.ip
    {%- endif %}
    {%- if by_source and sources %}
    left join {{ sources }} as campaign_sources on lower(events.utm_source) = campaign_sources.source
    left join {{ sources }} as referrer_sources on events.referrer_host = referrer_sources.source
    {%- endif %}
    {%- if results %}
    left join {{ results }} as results on events.project_id = results.project_id and events.message_id = results.message_id
    {%- endif %}
) as joined
{%- endmacro -%}
