{#-
    fct_events says in a log what it touched: of every row that it made anew, the project, event, day, person and session
    that it had before and that it has now. The models built from it repair only those, each from where its own last run
    that succeeded had got to. Runs are numbered: clocks are set back.
-#}
{% macro touched_log() -%}
    {{ facts_table('touched') }}
{%- endmacro %}

{#- A model that has not read the log for this many runs is made anew. -#}
{% macro logged_runs() -%}
    100
{%- endmacro %}

{% macro keep_touched() -%}
    create table if not exists {{ touched_log() }} {{ on_cluster_clause(this) }}
    (
        run UInt64,
        is_rebuild Bool,
        project_id UInt32,
        event LowCardinality(String),
        event_date Date32,
        person_number UInt32,
        session_id UInt64
    )
    {{ whole_engine() }} order by run
{%- endmacro %}

{% macro log_touched(relation, condition) -%}
    insert into {{ touched_log() }}
    select distinct
        (select max(run) from {{ touched_log() }}) + 1 as run,
        false as is_rebuild,
        project_id,
        event,
        event_date,
        person_number,
        session_id
    from {{ relation }}
    where {{ condition }}
{%- endmacro %}

{#- Before: what stands in the rows that this run replaces or removes; or that the whole table is made anew. -#}
{% macro log_replaced() -%}
    {%- if execute and rebuilds_facts() -%}
    insert into {{ touched_log() }} (run, is_rebuild)
    select
        (select max(run) from {{ touched_log() }}) + 1 as run,
        true as is_rebuild
    {%- elif execute -%}
    {{ log_touched(this, '(project_id, message_id) in (' ~ stale_events(['project_id', 'message_id']) ~ ')') }}
    {%- endif -%}
{%- endmacro %}

{#-
    What stands in the rows that this run made, while only the copy has them: a run that dies after the copy took the
    table's place has nothing left to log by which the next one could tell these rows.
-#}
{% macro log_made(copy) -%}
    {%- if execute and has_rows(ref('int_events_stale')) -%}
    {{ log_touched(copy, 'made_at = (select max(made.made_at) from ' ~ copy ~ ' as made)') }}
    {%- endif -%}
{%- endmacro %}

{% macro shorten_touched() -%}
    {%- set is_old = 'run + ' ~ logged_runs() ~ ' < (select max(run) from ' ~ touched_log() ~ ')' -%}
    {%- if execute and has_rows(touched_log(), is_old) -%}
    delete from {{ touched_log() }} {{ on_cluster_clause(this) }}
    where run + {{ logged_runs() }} < (select max(logged.run) from {{ touched_log() }} as logged)
    {%- endif -%}
{%- endmacro %}

{#- The events whose rows this run replaces or removes. -#}
{% macro stale_events(columns) -%}
    select {{ columns | join(', ') }}
    from {{ ref('int_events_stale') }}
    union all
    select {{ columns | join(', ') }}
    from {{ ref('int_events_changed') }}
    where is_removed
{%- endmacro %}

{#- Up to which run of the log a model is repaired, and how it was written then. -#}
{% macro repaired_table() -%}
    {{ this.schema }}.{{ this.name }}_repaired
{%- endmacro %}

{% macro keep_repaired() -%}
    create table if not exists {{ repaired_table() }} {{ on_cluster_clause(this) }}
    (
        run UInt64,
        rules String
    )
    {{ whole_engine() }} order by run
{%- endmacro %}

{#-
    Whether a model is made anew as a whole: it is new or was edited, fct_events was made anew, or the log does not reach
    back far enough.
-#}
{% macro repairs_all() -%}
    {%- if not execute -%}
        {{ return(true) }}
    {%- elif should_full_refresh() or existing_table(repaired_table()) is none or not is_as_described(this, model) -%}
        {{ return(true) }}
    {%- elif has_rows(repaired_table(), "rules != '" ~ model.checksum.checksum ~ "'") -%}
        {{ return(true) }}
    {%- else -%}
        {%- set query -%}
            select
                min(run) > (select max(run) from {{ repaired_table() }}) + 1
                or countIf(is_rebuild and run > (select max(run) from {{ repaired_table() }})) > 0
            from {{ touched_log() }}
        {%- endset -%}
        {{ return(run_query(query).rows[0][0] | int == 1) }}
    {%- endif -%}
{%- endmacro %}

{% macro touched(columns) -%}
    select distinct {{ columns | join(', ') }}
    from {{ touched_log() }}
    where run > (select max(repaired.run) from {{ repaired_table() }} as repaired)
{%- endmacro %}

{% macro settle_repairs() -%}
    {% call replace_whole(repaired_table(), 'run') %}
    select
        max(run) as run,
        '{{ model.checksum.checksum if execute }}' as rules
    from {{ touched_log() }}
    {% endcall %}
{%- endmacro %}
