{#-
    No partitions, here and in the models built from this one: their instants are the clients', and an insert that meets
    more than 100 partitions fails (max_partitions_per_insert_block), for every project.
    Granules are small: the events of a person lie in many of them, and a quarter less is read around those of a refresh.
-#}
{{
    config(
        materialized='repaired',
        unique_key=['project_id', 'person_number', 'timestamp'],
        stale_keys='stale_instants',
        all_stale='rebuilds_facts',
        order_by='(project_id, event, timestamp, message_id)',
        settings={'index_granularity': 2048},
        pre_hook=['{{ keep_touched() }}', '{{ log_replaced() }}'],
        before_exchange='log_made',
        post_hook=[
            '{{ shorten_touched() }}',
            '{{ settle_loads() }}',
            '{{ settle_keys() }}',
            '{{ settle_minutes() }}',
            '{{ settle_rules() }}',
        ],
    )
}}

-- depends_on: {{ ref('int_events_stale') }}
-- depends_on: {{ ref('int_instants_stale') }}
-- depends_on: {{ ref('int_events_changed') }}
-- depends_on: {{ ref('int_keys_hashed') }}

{{- require_inputs_of_this_run() }}

{%- set passed = [
    'project_id', 'message_id', 'type', 'event', 'timestamp', 'received_at', 'sequence', 'group_type', 'group_id',
    'properties', 'traits', 'traits_once', 'traits_increment', 'page_host', 'page_path', 'page_query',
    'page_fragment', 'page_title', 'referrer', 'referrer_host', 'referrer_type', 'referrer_name', 'channel',
    'utm_source', 'utm_medium', 'utm_campaign', 'utm_term', 'utm_content', 'click_id_type', 'click_id', 'country',
    'region', 'city', 'browser', 'browser_version', 'os', 'os_version', 'device_type', 'device_brand', 'is_bot',
    'screen_width', 'screen_height', 'screen_density', 'locale', 'device_timezone', 'library', 'enrichments',
    'loaded_at',
] %}

with events as (
    select
        {{ passed | join(',\n        ') }},
        person_id,
        {{ sdk_session_key('session_id') }} as sdk_session_key
    from {{ ref('int_events_enriched') }}
    {%- if not rebuilds_facts() %}
    where {{ is_among(events_to_make, ['project_id', 'message_id'], ['project_id', 'received_at']) | indent(4) }}
    {%- endif %}
),

persons as (
    select
        project_id,
        person_id,
        person_number
    from {{ ref('int_persons_numbered') }}
    {%- if not rebuilds_facts() %}
    where (project_id, person_number) in (
        select
            project_id,
            person_number
        from {{ ref('int_events_stale') }}
    )
    {%- endif %}
),

split_sessions as (
    select
        project_id,
        sdk_session_key
    from {{ ref('int_sdk_sessions') }}
    where dateDiff('millisecond', first_at, last_at) >= {{ session_cap_ms() }}
),

derived_sessions as (
    select
        project_id,
        person_number,
        sdk_session_key,
        started_at
    from {{ ref('int_sessions_derived') }}
),

projects as (
    select
        project_id,
        timezone
    from {{ ref('stg_collector__projects') }}
),

numbered as (
    select
        {%- for column in passed %}
        events.{{ column }} as {{ column }},
        {%- endfor %}
        events.sdk_session_key as sdk_session_key,
        persons.person_number as person_number
    from events
    inner join persons on events.project_id = persons.project_id and events.person_id = persons.person_id
),

sessionized as (
    select
        {%- for column in passed %}
        numbered.{{ column }} as {{ column }},
        {%- endfor %}
        numbered.person_number as person_number,
        numbered.sdk_session_key as sdk_session_key,
        (numbered.project_id, numbered.sdk_session_key) in (
            select
                project_id,
                sdk_session_key
            from split_sessions
        ) as is_split,
        toBool(numbered.sdk_session_key = 0 or is_split) as is_session_derived,
        {{ derived_session_id('derived_sessions') }} as derived_id
    from numbered
    asof left join derived_sessions
        on
            numbered.project_id = derived_sessions.project_id
            and numbered.person_number = derived_sessions.person_number
            and numbered.sdk_session_key = derived_sessions.sdk_session_key
            and numbered.timestamp >= derived_sessions.started_at
)

select
    {%- for column in passed if column != 'loaded_at' %}
    sessionized.{{ column }} as {{ column }},
    {%- endfor %}
    sessionized.person_number as person_number,
    if(sessionized.is_session_derived, sessionized.derived_id, sessionized.sdk_session_key) as session_id,
    sessionized.is_session_derived as is_session_derived,
    if(sessionized.is_split, sessionized.sdk_session_key, toUInt64(0)) as split_session_key,
    {{ local_date('sessionized.timestamp', 'projects.timezone') }} as event_date,
    toTimeZone(sessionized.loaded_at, 'UTC') as loaded_at,
    {%- if rebuilds_facts() %}
    now64(3, 'UTC') as made_at
    {%- else %}
    -- Later than in all rows before, also where the clock was set back: the rows of a run are told by it.
    greatest(now64(3, 'UTC'), (select max(made.made_at) from {{ facts() }} as made) + toIntervalMillisecond(1)) as made_at
    {%- endif %}
from sessionized
left join projects on sessionized.project_id = projects.project_id
