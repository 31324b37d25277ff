{#-
    Granules are small: events of linked devices are looked up all over their history, and two thirds less is read around
    those of a refresh.
-#}
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['project_id', 'message_id'],
        replaced_since='received_at',
        partition_by='toYYYYMM(received_at)',
        order_by='(project_id, received_at, message_id)',
        settings={'index_granularity': 2048},
        appends_columns=true,
        on_schema_change='ignore',
        pre_hook=[
            '{{ keep_settled() }}',
            '{{ keep_erased() }}',
            '{{ count_recent() }}',
            '{{ count_arrivals() }}',
            '{{ list_unsettled() }}',
            '{{ list_erased() }}',
            '{{ delete_erased() }}',
        ],
        post_hook=[
            '{{ mend_objects() }}',
            '{{ reread_contexts() }}',
            '{{ keep_ids() }}',
            '{{ settle_arrivals() }}',
            '{{ settle_recent() }}',
            '{{ forget_erased() }}',
        ],
    )
}}

{%- set columns = [
    'project_id', 'message_id', 'type', 'event', 'anonymous_id', 'user_id', 'previous_id', 'session_id',
    'group_type', 'group_id', 'timestamp', 'original_timestamp', 'sent_at', 'received_at', 'sequence', 'properties',
    'traits', 'traits_once', 'traits_increment', 'context', 'ip', 'user_agent', 'country', 'protocol', 'library',
    'write_key_id', 'batch_id', 'inserted_at',
] %}
{%- set read = [] %}
{%- for column in columns %}
{%- do read.append(finite_numbers(column) ~ ' as ' ~ column if column in objects() else column) %}
{%- endfor %}
{#- Where the delivery that counted was erased, another one may count. -#}
{%- set is_to_read =
    '(toStartOfMinute(inserted_at) in (' ~ unsettled_minutes() ~ ')
    or (project_id, message_id) in (select project_id, message_id from ' ~ arrivals_table('erased') ~ '))'
    if is_incremental() else 'true'
%}

with source as (
    select {{ read | join(', ') }}
    from {{ source('raw', 'events') }}
    -- Canaries are the collector's own, which no figure counts.
    where protocol != 'canary' and {{ is_to_read }}
),

-- Only ids that came more than once are sorted: a replay is rare, and events are wide.
repeated as (
    select
        project_id,
        message_id
    from source
    group by project_id, message_id
    having count() > 1
),

deduplicated as (
    select {{ columns | join(', ') }}
    from source
    where (project_id, message_id) not in (
        select
            project_id,
            message_id
        from repeated
    )
    union all
    select {{ columns | join(', ') }}
    from source
    where (project_id, message_id) in (
        select
            project_id,
            message_id
        from repeated
    )
    -- The earliest received wins. What follows it only makes the choice the same in every run.
    order by {{ delivery_order() | trim }}
    limit 1 by project_id, message_id
)

{%- if is_incremental() %},

known as (
    select
        project_id,
        message_id,
        {{ delivery_order() | trim }} as delivered
    from {{ this }}
    where
        {%- if has_ids() %}
        (
            (project_id, toDate(received_at)) in ({{ days_of_known('source') | indent(12) }})
            -- The same deliveries, of a run that died before it kept their ids.
            or (project_id, received_at) in (
                select
                    project_id,
                    received_at
                from source
            )
        )
        and {% endif -%}
        (project_id, message_id) in (
            select
                project_id,
                message_id
            from source
        )
),

changed as (
    select deduplicated.*
    from deduplicated
    left join known on deduplicated.project_id = known.project_id and deduplicated.message_id = known.message_id
    where
        known.message_id = ''
        or {{ delivery_order('deduplicated') | trim }} < known.delivered
)

select
    {{ columns | join(', ') }},
    {{ context_columns() }},
    now64(3) as loaded_at
from changed
{%- else %}

select
    {{ columns | join(', ') }},
    {{ context_columns() }},
    now64(3) as loaded_at
from deduplicated
{%- endif %}
