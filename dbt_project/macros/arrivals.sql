{#-
    Which deliveries a run has to read. A point in time that the last run reached would not do: inserts become visible
    out of order, clocks are set back, and a run that dies while it inserts leaves newer rows without older ones. So for
    every minute of inserted_at two numbers are compared: how many deliveries landed, and how many of them count, that
    is, stand in the model. A run writes both down only after it has succeeded. A minute for which either number is
    another now, whatever the reason, is read again; one whose duplicates were dropped is not. A minute of which nothing
    is left, because all of it was erased, is one of them.
    Counting reads one column of each table, about a byte a row.
-#}

{#-
    Where the numbers of the last run that succeeded are kept (settled), those of the run that is under way (landed), the
    minutes that it has to read (unsettled), the ids of which a delivery that counted is no longer there (erased), and those
    of all events (ids). Of the last minutes the same numbers by project (recent, settled_recent).
-#}
{% macro arrivals_table(kind, model=none) -%}
    {{ (model or this).schema }}.{{ (model or this).name }}_{{ kind }}
{%- endmacro %}

{% macro staged_by_minute() -%}
    select
        toStartOfMinute(inserted_at) as inserted_minute,
        count() as staged
    from {{ this }}
    group by inserted_minute
{%- endmacro %}

{#- Before the model reads: what lands from now on is the next run's. -#}
{% macro count_arrivals() -%}
    {% call replace_whole(arrivals_table('landed'), 'inserted_minute') %}
    select
        toStartOfMinute(inserted_at) as inserted_minute,
        count() as landed
    from {{ source('raw', 'events') }}
    group by inserted_minute
    {% endcall %}
{%- endmacro %}

{#-
    The last minutes, by project: for who answers from what is modelled and from what landed since. Before all else is
    counted, so that whatever is in here is read.
-#}
{% macro count_recent() %}
    {% call replace_whole(arrivals_table('recent'), '(project_id, inserted_minute)') %}
    select
        project_id,
        toStartOfMinute(inserted_at) as inserted_minute,
        count() as landed
    from {{ source('raw', 'events') }}
    where inserted_at >= (
        select toStartOfMinute(max(inserted_at)) - toIntervalMinute(9)
        from {{ source('raw', 'events') }}
    )
    group by project_id, inserted_minute
    {% endcall %}
{%- endmacro %}

{#- Empty for a model that was made before the numbers were kept: all of it is read once. -#}
{% macro keep_settled() -%}
    {%- if may_be_missing(arrivals_table('settled')) -%}
    create table if not exists {{ arrivals_table('settled') }} {{ on_cluster_clause(this) }}
    (
        inserted_minute DateTime('UTC'),
        landed UInt64,
        staged UInt64
    )
    {{ whole_engine() }} order by inserted_minute
    {%- endif -%}
{%- endmacro %}

{#- Kept until a run has succeeded, so that one which dies after it has deleted does not forget what it deleted. -#}
{% macro keep_erased() -%}
    {%- if may_be_missing(arrivals_table('erased')) -%}
    create table if not exists {{ arrivals_table('erased') }} {{ on_cluster_clause(this) }}
    (
        project_id UInt32,
        message_id String
    )
    {{ whole_engine() }} order by (project_id, message_id)
    {%- endif -%}
{%- endmacro %}

{#- Worked out once: a year has half a million minutes. -#}
{% macro list_unsettled() -%}
    {%- if execute and is_incremental() -%}
    {% call replace_whole(arrivals_table('unsettled'), 'inserted_minute') %}
    select inserted_minute
    from (
        select
            inserted_minute,
            landed,
            toUInt64(0) as staged,
            toInt64(1) as is_now
        from {{ arrivals_table('landed') }}
        union all
        select
            inserted_minute,
            toUInt64(0) as landed,
            staged,
            toInt64(1) as is_now
        from ({{ staged_by_minute() }}) as staged_minutes
        union all
        select
            inserted_minute,
            landed,
            staged,
            toInt64(-1) as is_now
        from {{ arrivals_table('settled') }}
    ) as numbers
    group by inserted_minute
    having sum(toInt64(landed) * is_now) != 0 or sum(toInt64(staged) * is_now) != 0
    {% endcall %}
    {%- endif -%}
{%- endmacro %}

{% macro unsettled_minutes() -%}
    select inserted_minute
    from {{ arrivals_table('unsettled') }}
{%- endmacro %}

{#- What tells one delivery from all others. -#}
{% macro delivery_key() -%}
    project_id, message_id, received_at, sequence, batch_id, inserted_at
{%- endmacro %}

{% macro list_erased() -%}
    {%- if execute and is_incremental() -%}
    insert into {{ arrivals_table('erased') }} (project_id, message_id)
    select
        project_id,
        message_id
    from {{ this }}
    where
        toStartOfMinute(inserted_at) in ({{ unsettled_minutes() }})
        and ({{ delivery_key() }}) not in (
            select {{ delivery_key() }}
            from {{ source('raw', 'events') }}
            where toStartOfMinute(inserted_at) in ({{ unsettled_minutes() }})
        )
    {%- endif -%}
{%- endmacro %}

{% macro delete_erased() -%}
    {%- if execute and is_incremental() and has_rows(arrivals_table('erased')) -%}
    delete from {{ stored(this) }} {{ on_cluster_clause(this) }}
    where (project_id, message_id) in (
        select
            project_id,
            message_id
        from {{ arrivals_table('erased') }}
    )
    {%- endif -%}
{%- endmacro %}

{#-
    The ids of all events that were ever staged, as hashes, with the day of receipt: who has to know whether an event is new
    looks here first, and not through all history. Written before the numbers are settled: of a run that dies in between,
    the next one reads the same minutes. Ids of erased events stay until all is made anew.
-#}
{% macro keep_ids() -%}
    {%- set ids = arrivals_table('ids') -%}
    {%- if execute and is_incremental() and has_ids() -%}
    insert into {{ ids }} (project_id, id_hash, received_date)
    {{ staged_ids() }}
    where
        toStartOfMinute(inserted_at) in ({{ unsettled_minutes() }})
        {%- if has_rows(arrivals_table('erased')) %}
        -- What counts in place of what was erased may have landed in another minute.
        or (project_id, message_id) in (
            select
                project_id,
                message_id
            from {{ arrivals_table('erased') }}
        )
        {%- endif %}
    {%- else -%}
    {#- Looked up one by one: small granules. #}
    {% call replace_whole(ids, '(project_id, id_hash)', settings='index_granularity = 512') %}
    {{ staged_ids() }}
    {% endcall %}
    {%- endif -%}
{%- endmacro %}

{% macro staged_ids() -%}
    select
        project_id,
        {{ message_id_hash('message_id') }} as id_hash,
        toDate(received_at) as received_date
    from {{ this }}
{%- endmacro %}

{#- An older version's have no day. -#}
{% macro has_ids() -%}
    {%- if not execute -%}
        {{ return(false) }}
    {%- endif -%}
    {%- set ids = existing_table(arrivals_table('ids')) -%}
    {{ return(ids is not none and holds(has_column(arrivals_table('ids'), 'received_date'))) }}
{%- endmacro %}

{#-
    On which days staged events were received whose ids are among those of a relation, by project; another id may have the
    same hash.
-#}
{% macro days_of_known(relation) -%}
    select
        project_id,
        received_date
    from {{ arrivals_table('ids') }}
    where (project_id, id_hash) in (
        select
            project_id,
            {{ message_id_hash('message_id') }} as id_hash
        from {{ relation }}
    )
{%- endmacro %}

{#- After the model's rows are in. -#}
{% macro settle_arrivals() -%}
    {% call replace_whole(arrivals_table('settled'), 'inserted_minute') %}
    select
        landed.inserted_minute as inserted_minute,
        landed.landed as landed,
        staged.staged as staged
    from {{ arrivals_table('landed') }} as landed
    left join (
        {{ staged_by_minute() }}
    ) as staged on landed.inserted_minute = staged.inserted_minute
    {% endcall %}
{%- endmacro %}

{% macro settle_recent() -%}
    {% call replace_whole(arrivals_table('settled_recent'), '(project_id, inserted_minute)') %}
    select
        project_id,
        inserted_minute,
        landed
    from {{ arrivals_table('recent') }}
    {% endcall %}
{%- endmacro %}

{% macro forget_erased() -%}
    truncate table {{ arrivals_table('erased') }} {{ on_cluster_clause(this) }}
{%- endmacro %}
