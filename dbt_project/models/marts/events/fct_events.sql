{#-
    No partitions, here and in the models built from this one: their instants are the clients', and an insert that meets
    more than 100 partitions fails (max_partitions_per_insert_block), for every project.
-#}
{{ config(order_by='(project_id, event, timestamp, message_id)') }}

with events as (
    select
        project_id,
        message_id,
        type,
        event,
        person_id,
        session_id,
        timestamp,
        received_at,
        sequence,
        anonymous_id,
        user_id,
        group_type,
        group_id,
        properties,
        page_host,
        page_path,
        page_query,
        page_fragment,
        page_title,
        referrer,
        referrer_host,
        referrer_type,
        referrer_name,
        channel,
        utm_source,
        utm_medium,
        utm_campaign,
        utm_term,
        utm_content,
        click_id_type,
        click_id,
        country,
        region,
        city,
        browser,
        browser_version,
        os,
        os_version,
        device_type,
        device_brand,
        is_bot,
        screen_width,
        screen_height,
        screen_density,
        locale,
        device_timezone,
        library,
        enrichments
    from {{ ref('int_events_enriched') }}
),

split_sessions as (
    select
        project_id,
        session_id
    from {{ ref('int_sdk_sessions_split') }}
),

derived_sessions as (
    select
        project_id,
        person_id,
        sdk_session_id,
        started_at
    from {{ ref('int_sessions_derived') }}
),

projects as (
    select
        project_id,
        timezone
    from {{ ref('stg_collector__projects') }}
),

sessionized as (
    select
        events.project_id as project_id,
        events.message_id as message_id,
        events.type as type,
        events.event as event,
        events.person_id as person_id,
        events.timestamp as timestamp,
        events.received_at as received_at,
        events.sequence as sequence,
        events.anonymous_id as anonymous_id,
        events.user_id as user_id,
        events.group_type as group_type,
        events.group_id as group_id,
        events.properties as properties,
        events.page_host as page_host,
        events.page_path as page_path,
        events.page_query as page_query,
        events.page_fragment as page_fragment,
        events.page_title as page_title,
        events.referrer as referrer,
        events.referrer_host as referrer_host,
        events.referrer_type as referrer_type,
        events.referrer_name as referrer_name,
        events.channel as channel,
        events.utm_source as utm_source,
        events.utm_medium as utm_medium,
        events.utm_campaign as utm_campaign,
        events.utm_term as utm_term,
        events.utm_content as utm_content,
        events.click_id_type as click_id_type,
        events.click_id as click_id,
        events.country as country,
        events.region as region,
        events.city as city,
        events.browser as browser,
        events.browser_version as browser_version,
        events.os as os,
        events.os_version as os_version,
        events.device_type as device_type,
        events.device_brand as device_brand,
        events.is_bot as is_bot,
        events.screen_width as screen_width,
        events.screen_height as screen_height,
        events.screen_density as screen_density,
        events.locale as locale,
        events.device_timezone as device_timezone,
        events.library as library,
        events.enrichments as enrichments,
        if(
            events.session_id != ''
            and (events.project_id, events.session_id) not in (
                select
                    project_id,
                    session_id
                from split_sessions
            ),
            events.session_id,
            {{ derived_session_id('derived_sessions') }}
        ) as session_id
    from events
    asof left join derived_sessions
        on
            events.project_id = derived_sessions.project_id
            and events.person_id = derived_sessions.person_id
            and events.session_id = derived_sessions.sdk_session_id
            and events.timestamp >= derived_sessions.started_at
)

select
    sessionized.project_id as project_id,
    sessionized.message_id as message_id,
    sessionized.type as type,
    sessionized.event as event,
    sessionized.person_id as person_id,
    sessionized.session_id as session_id,
    sessionized.timestamp as timestamp,
    {{ local_date('sessionized.timestamp', 'projects.timezone') }} as event_date,
    sessionized.received_at as received_at,
    sessionized.sequence as sequence,
    sessionized.anonymous_id as anonymous_id,
    sessionized.user_id as user_id,
    sessionized.group_type as group_type,
    sessionized.group_id as group_id,
    sessionized.properties as properties,
    sessionized.page_host as page_host,
    sessionized.page_path as page_path,
    sessionized.page_query as page_query,
    sessionized.page_fragment as page_fragment,
    sessionized.page_title as page_title,
    sessionized.referrer as referrer,
    sessionized.referrer_host as referrer_host,
    sessionized.referrer_type as referrer_type,
    sessionized.referrer_name as referrer_name,
    sessionized.channel as channel,
    sessionized.utm_source as utm_source,
    sessionized.utm_medium as utm_medium,
    sessionized.utm_campaign as utm_campaign,
    sessionized.utm_term as utm_term,
    sessionized.utm_content as utm_content,
    sessionized.click_id_type as click_id_type,
    sessionized.click_id as click_id,
    sessionized.country as country,
    sessionized.region as region,
    sessionized.city as city,
    sessionized.browser as browser,
    sessionized.browser_version as browser_version,
    sessionized.os as os,
    sessionized.os_version as os_version,
    sessionized.device_type as device_type,
    sessionized.device_brand as device_brand,
    sessionized.is_bot as is_bot,
    sessionized.screen_width as screen_width,
    sessionized.screen_height as screen_height,
    sessionized.screen_density as screen_density,
    sessionized.locale as locale,
    sessionized.device_timezone as device_timezone,
    sessionized.library as library,
    sessionized.enrichments as enrichments
from sessionized
left join projects on sessionized.project_id = projects.project_id
