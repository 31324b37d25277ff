{#-
    fct_events says in a log what it touched: of every row that it made anew, the project, event, day, person and session
    that it had before and that it has now, and whether anything is counted otherwise (`is_recounted`) or only for another
    person. The models built from it repair only those, each from where its own last run that succeeded had got to. Runs are
    numbered: clocks are set back.
-#}
{% macro touched_log() -%}
    {{ facts_table('touched') }}
{%- endmacro %}

{#- A model that has not read the log for this many runs is made anew. -#}
{% macro logged_runs() -%}
    100
{%- endmacro %}

{% macro keep_touched() -%}
    {%- set has_log = execute and existing_table(touched_log()) is not none -%}
    {%- if has_log and not holds(has_column(touched_log(), 'is_recounted')) -%}
    {#- An older version's log does not say what is recounted. -#}
    alter table {{ touched_log() }} {{ on_cluster_clause(this) }}
    add column is_recounted Bool default true
    {%- elif may_be_missing(touched_log()) -%}
    create table if not exists {{ touched_log() }} {{ on_cluster_clause(this) }}
    (
        run UInt64,
        is_rebuild Bool,
        project_id UInt32,
        event LowCardinality(String),
        event_date Date32,
        person_number UInt32,
        session_id UInt64,
        is_recounted Bool default true
    )
    {{ whole_engine() }} order by run
    {%- endif -%}
{%- endmacro %}

{#-
    What is counted of an event is the same after a link, a merge or a split of its session, and when another event of its
    session changed. Events that change are told by their instants: that reads no message ids, and one of the same
    millisecond is at worst counted once more.
-#}
{% macro log_touched(relation, condition) -%}
    insert into {{ touched_log() }}
    select distinct
        (select max(run) from {{ touched_log() }}) + 1 as run,
        false as is_rebuild,
        project_id,
        event,
        event_date,
        person_number,
        session_id,
        (project_id, timestamp) in (
            {{ changed_events(['project_id', 'timestamp']) | indent(12) }}
            where reason not in ('device', 'user', 'session')
        ) as is_recounted
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
    {{ log_touched(this, is_among(stale_instants, ['project_id', 'person_number', 'timestamp'])) }}
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

{#- The events that changed, those of them that stay, those whose rows this run makes. -#}
{% macro changed_events(columns) -%}
    select {{ columns | join(', ') }}
    from {{ ref('int_events_changed') }}
{%- endmacro %}

{% macro events_that_stay(columns) -%}
    {{ changed_events(columns) }}
    where not is_removed
{%- endmacro %}

{% macro events_to_make(columns) -%}
    select {{ columns | join(', ') }}
    from {{ ref('int_events_stale') }}
{%- endmacro %}

{#- Persons and instants: of the rows that this run replaces or removes, and of those that it makes. -#}
{% macro stale_instants(columns) -%}
    select {{ columns | join(', ') }}
    from {{ ref('int_instants_stale') }}
    union all
    {{ events_to_make(columns) }}
{%- endmacro %}

{#- Up to which run of the log a model is repaired, and how it was written then. -#}
{% macro repaired_table(relation=none) -%}
    {{ (relation or this).schema }}.{{ (relation or this).name }}_repaired
{%- endmacro %}

{#- The repaired models that a model is made from; fct_events keeps the log. -#}
{% macro repaired_parents() -%}
    {%- set parents = [] -%}
    {%- for name in model.depends_on.nodes if name != 'model.radixinsight.fct_events' -%}
        {%- if name in graph.nodes and graph.nodes[name].config.materialized == 'repaired' -%}
            {%- do parents.append(graph.nodes[name]) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(parents) }}
{%- endmacro %}

{#- How a model is written, and those that it is made from. -#}
{% macro repair_rules() -%}
    {%- set rules = [] -%}
    {%- for node in [model] + repaired_parents() -%}
        {#- `rules` is what macros say in place of the file that calls them. -#}
        {%- do rules.append(node.checksum.checksum ~ local_md5(node.config.get('rules', ''))) -%}
    {%- endfor -%}
    {{ return(rules | join(' ')) }}
{%- endmacro %}

{% macro keep_repaired() -%}
    {%- if may_be_missing(repaired_table()) -%}
    create table if not exists {{ repaired_table() }} {{ on_cluster_clause(this) }}
    (
        run UInt64,
        rules String
    )
    {{ whole_engine() }} order by run
    {%- endif -%}
{%- endmacro %}

{#-
    Whether a model is made anew as a whole: it is new or was edited, fct_events was made anew, or the log does not reach
    back far enough.
-#}
{% macro repairs_all() -%}
    {%- if not execute or should_full_refresh() -%}
        {{ return(true) }}
    {%- elif existing_table(repaired_table()) is none or load_relation(this) is none -%}
        {{ return(true) }}
    {%- else -%}
        {%- set condition -%}
            (
                select
                    (select countIf(rules != '{{ repair_rules() }}') from {{ repaired_table() }}) > 0
                    or not {{ has_described_columns(this, model) | indent(20) }}
                    or not {{ has_column(touched_log(), 'is_recounted') | indent(20) }}
                    or min(run) > (select max(run) from {{ repaired_table() }}) + 1
                    or countIf(is_rebuild and run > (select max(run) from {{ repaired_table() }})) > 0
                from {{ touched_log() }}
            )
        {%- endset -%}
        {{ return(holds_in_this_run('repairs_all ' ~ model.unique_id, condition)) }}
    {%- endif -%}
{%- endmacro %}

{% macro touched(columns) -%}
    select distinct {{ columns | join(', ') }}
    from {{ touched_log() }}
    where run > (select max(repaired.run) from {{ repaired_table() }} as repaired)
{%- endmacro %}

{#-
    The days of touched sessions; `columns` are project_id and started_date. A session is counted on the day on which it
    starts, and an event that comes late may move that to another day without touching the one that it leaves. The session
    then still holds an event of that day, and spans less than 24 hours: the day is within two of the one on which it starts
    now (a zone may have skipped one between). Where it holds none any more, the log has the event that was there.
-#}
{% macro touched_session_days(columns) -%}
    select distinct
        project_id,
        event_date as started_date
    from {{ touched_log() }}
    where run > (select max(repaired.run) from {{ repaired_table() }} as repaired)
    union distinct
    select distinct
        project_id,
        started_date + toIntervalDay(arrayJoin([0, 1, 2])) as started_date
    from {{ ref('fct_sessions') }}
    where (project_id, session_id) in ({{ touched(['project_id', 'session_id']) }})
{%- endmacro %}

{#- A model that is made from another repaired one is not ahead of it. -#}
{% macro settle_repairs() -%}
    {% call replace_whole(repaired_table(), 'run') %}
    select
        least(
            max(run)
            {%- for parent in (repaired_parents() if execute else []) %},
            assumeNotNull((select max(repaired.run) from {{ repaired_table(parent) }} as repaired))
            {%- endfor %}
        ) as run,
        '{{ repair_rules() if execute }}' as rules
    from {{ touched_log() }}
    {% endcall %}
{%- endmacro %}
