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
    'referrer_type', 'referrer_name', 'channel', 'country', 'region', 'city', 'browser', 'browser_version', 'os',
    'os_version', 'device_type', 'device_brand', 'is_bot', 'enrichments',
] %}

{{ enriched_events(
    events=ref('int_events_identified'),
    agents=ref('int_user_agents_latest'),
    addresses=ref('int_addresses_latest'),
    sources=ref('int_traffic_sources_classified'),
    results=ref('int_enrichments_merged'),
    passed=passed,
    columns=looked_up,
) }}
