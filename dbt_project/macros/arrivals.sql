{#-
    Which deliveries a run has to read. A point in time that the last run reached would not do: inserts become visible
    out of order, clocks are set back, and a run that dies while it inserts leaves newer rows without older ones. So for
    every minute of inserted_at two numbers are compared: how many deliveries landed, and how many of them count, that
    is, stand in the model. A run writes both down only after it has succeeded. A minute for which either number is
    another now, whatever the reason, is read again; one whose duplicates were dropped is not.
    Counting reads one column of each table, about a byte a row.
-#}

{#- Where the numbers of the last run that succeeded are kept, and those of the run that is under way. -#}
{% macro arrivals_table(kind) -%}
    {{ this.schema }}.{{ this.name }}_{{ kind }}
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
    create or replace table {{ arrivals_table('landed') }} {{ on_cluster_clause(this) }}
    engine = MergeTree order by inserted_minute
    as
    select
        toStartOfMinute(inserted_at) as inserted_minute,
        count() as landed
    from {{ source('raw', 'events') }}
    group by inserted_minute
{%- endmacro %}

{#- Empty for a model that was made before the numbers were kept: all of it is read once. -#}
{% macro keep_settled() -%}
    create table if not exists {{ arrivals_table('settled') }} {{ on_cluster_clause(this) }}
    (
        inserted_minute DateTime('UTC'),
        landed UInt64,
        staged UInt64
    )
    engine = MergeTree order by inserted_minute
{%- endmacro %}

{% macro unsettled_minutes() -%}
    select landed.inserted_minute
    from {{ arrivals_table('landed') }} as landed
    left join (
        {{ staged_by_minute() }}
    ) as staged on landed.inserted_minute = staged.inserted_minute
    left join {{ arrivals_table('settled') }} as settled on landed.inserted_minute = settled.inserted_minute
    where landed.landed != settled.landed or staged.staged != settled.staged
{%- endmacro %}

{#- After the model's rows are in. -#}
{% macro settle_arrivals() -%}
    create or replace table {{ arrivals_table('settled') }} {{ on_cluster_clause(this) }}
    engine = MergeTree order by inserted_minute
    as
    select
        landed.inserted_minute as inserted_minute,
        landed.landed as landed,
        staged.staged as staged
    from {{ arrivals_table('landed') }} as landed
    left join (
        {{ staged_by_minute() }}
    ) as staged on landed.inserted_minute = staged.inserted_minute
{%- endmacro %}
