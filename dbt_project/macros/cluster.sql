{#-
    On a cluster (the target `cluster`) each table of a model is two: one that is stored, `…_local`, a part of it on each
    shard, and over it a Distributed one with the model's name, which is read and inserted into. What changes tables
    themselves goes to the stored ones. Side tables of hooks and seeds are small: every host has all of them.
    On one machine a table is stored under its own name, and nothing here does anything.
-#}

{#- The adapter's macro, which does not know the cluster's name while the project is parsed. -#}
{% macro on_cluster_clause(relation, force_sync=false) -%}
    {%- if target.cluster and relation.should_on_cluster %}
    on cluster "{{ target.cluster }}" {{ 'sync ' if force_sync }}
    {%- endif %}
{%- endmacro %}

{#- The relation that holds a model's rows. -#}
{% macro stored(relation) -%}
    {%- set path = {'identifier': relation.identifier ~ '_local'} -%}
    {{ return(relation.incorporate(path=path) if target.cluster else relation) }}
{%- endmacro %}

{#- The uuid in the path is the same on all hosts and stays with a table that is exchanged or renamed. -#}
{% macro replicated(engine, path, replica) -%}
    {{ return('Replicated' ~ engine.split('(')[0] ~ "('/clickhouse/tables/{uuid}/" ~ path ~ "', '" ~ replica ~ "')") }}
{%- endmacro %}

{#- Of a table that every host has all of. -#}
{% macro whole_engine() -%}
    engine = {{ replicated('MergeTree', 'whole', '{shard}-{replica}') if target.cluster else 'MergeTree' }}
{%- endmacro %}

{#- Of the model at hand: the adapter's macro, for a cluster too. -#}
{% macro engine_clause() %}
    {%- if target.cluster and model.resource_type == 'seed' %}
    {{ whole_engine() }}
    {%- elif target.cluster %}
    engine = {{ replicated(config.get('engine', default='MergeTree()'), '{shard}', '{replica}') }}
    {%- else %}
    engine = {{ config.get('engine', default='MergeTree()') }}
    {%- endif %}
{%- endmacro %}

{#- A side table made anew in one step; the select is what the macro is called with. -#}
{% macro replace_whole(table, order_by, settings=none) -%}
    {%- set rows = caller() %}
    {%- set order = ' order by ' ~ order_by ~ (' settings ' ~ settings if settings else '') %}
    {%- if target.cluster %}
    {%- set fresh = table ~ '__fresh' %}
    {%- if execute %}
    {#- With `as select` each host would insert the rows, and every one have them as often as there are hosts. -#}
    {%- for sql in [
        'drop table if exists ' ~ fresh ~ ' ' ~ on_cluster_clause(this, True),
        'create table ' ~ fresh ~ ' ' ~ on_cluster_clause(this) ~ whole_engine() ~ order
        ~ ' empty as ' ~ rows,
        'insert into ' ~ fresh ~ ' ' ~ rows,
        'system sync replica ' ~ on_cluster_clause(this) ~ fresh,
        'create table if not exists ' ~ table ~ ' ' ~ on_cluster_clause(this) ~ ' as ' ~ fresh,
        'exchange tables ' ~ fresh ~ ' and ' ~ table ~ ' ' ~ on_cluster_clause(this),
    ] %}
    {%- do run_query(sql) %}
    {%- endfor %}
    {%- endif %}
    drop table if exists {{ fresh }} {{ on_cluster_clause(this, True) }}
    {%- else %}
    create or replace table {{ table }}
    {{ whole_engine() }} {{ order }}
    as
    {{ rows }}
    {%- endif %}
{%- endmacro %}

{#- A table of another one's rows, by links to its files. -#}
{% macro copy_table(copy, original) -%}
    {%- if target.cluster %}
    {%- do run_query('create table ' ~ stored(copy) ~ ' ' ~ on_cluster_clause(copy) ~ ' as ' ~ stored(original)) %}
    {%- do distribute(copy) %}
    {#- Of a shard's replicas one attaches, and the others follow; CLONE AS would attach on each of them. -#}
    alter table {{ stored(copy) }} {{ on_cluster_clause(copy) }} attach partition all from {{ stored(original) }}
    {%- else %}
    create table {{ copy }} clone as {{ original }}
    {%- endif %}
{%- endmacro %}

{% macro distribute(relation) -%}
    {%- set rows = stored(relation) -%}
    {%- do run_query(
        'create or replace table ' ~ relation ~ ' ' ~ on_cluster_clause(relation) ~ ' as ' ~ rows
        ~ " engine = Distributed('" ~ target.cluster ~ "', '" ~ rows.schema ~ "', '" ~ rows.identifier ~ "', "
        ~ config.require('sharding_key') ~ ')'
    ) %}
{%- endmacro %}

{% macro clickhouse__create_table_as(temporary, relation, sql) -%}
    {%- set has_contract = config.get('contract').enforced %}
    {{ clickhouse__create_empty_table(temporary, relation if temporary else stored(relation), sql, has_contract) }}
    {%- if not temporary %}
    {%- if target.cluster %}
    {%- do distribute(relation) %}
    {%- endif %}
    {{ clickhouse__insert_into(relation, sql, has_contract) }}
    {%- endif %}
{%- endmacro %}

{% macro exchange_tables_atomic(old_relation, target_relation, obj_types='TABLES') -%}
    {%- set cluster = on_cluster_clause(target_relation) -%}
    {%- if target.cluster %}
    {%- do run_query('system sync replica ' ~ cluster ~ stored(old_relation)) %}
    {%- endif %}
    {%- call statement('exchange_tables_atomic') -%}
        exchange {{ obj_types }} {{ stored(old_relation) }} and {{ stored(target_relation) }} {{ cluster }}
    {%- endcall %}
    {#- The columns may be others now. -#}
    {%- if target.cluster %}
    {%- do distribute(target_relation) %}
    {%- endif %}
{%- endmacro %}

{% macro clickhouse__drop_relation(relation, obj_type='table') -%}
    {%- call statement('drop_relation', auto_begin=False) -%}
        drop {{ obj_type }} if exists {{ relation }} {{ on_cluster_clause(relation, True) }}
    {%- endcall %}
    {%- if target.cluster and obj_type == 'table' %}
    {%- do run_query('drop table if exists ' ~ stored(relation) ~ ' ' ~ on_cluster_clause(relation, True)) %}
    {%- endif %}
{%- endmacro %}

{% macro clickhouse__rename_relation(from_relation, to_relation, obj_type='table') -%}
    {%- do clickhouse__drop_relation(to_relation, obj_type) %}
    {%- call statement('rename_relation') -%}
        rename {{ obj_type }} {{ stored(from_relation) }} to {{ stored(to_relation) }} {{ on_cluster_clause(from_relation) }}
    {%- endcall %}
    {%- if target.cluster %}
    {%- do distribute(to_relation) %}
    {%- do clickhouse__drop_relation(from_relation) %}
    {%- endif %}
{%- endmacro %}
