{#-
    A table that is made anew in each run, in one step: the adapter's `table` takes seven statements (create, list columns,
    insert, exchange, list columns, comment, drop) where this takes two. A refresh with little news is mostly statements.
    A reader sees the table before or after, and a run that dies leaves it as it was. Without the adapter's indexes,
    projections and feeding by materialized views, for which `table` is there still.
-#}
{% materialization replaced, adapter='clickhouse' %}

    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set copy = make_backup_relation(target_relation, 'table') -%}
    {%- set is_copied = target.cluster and existing is not none -%}
    {%- if config.get('indexes') or config.get('projections') %}
    {%- do exceptions.raise_compiler_error("Indexes and projections want materialized='table'.") %}
    {%- endif %}

    {{ drop_relation_if_exists(load_cached_relation(copy)) }}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- if existing is not none and not existing.is_table %}
    {%- do adapter.drop_relation(existing) %}
    {%- endif %}

    {% call statement('main') %}
        {%- if target.cluster %}
        {{ get_create_table_as_sql(False, copy if is_copied else target_relation, sql) }}
        {%- else %}
        {{ create_or_replace_table_as(target_relation, sql) }}
        {%- endif %}
    {% endcall %}
    {%- if is_copied %}
    {% do exchange_tables_atomic(copy, target_relation) %}
    {%- endif %}

    {% do apply_grants(target_relation, config.get('grants'), should_revoke(existing, full_refresh_mode=True)) %}
    {% do persist_docs(target_relation, model) %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do adapter.commit() %}
    {%- if is_copied %}
    {% do adapter.drop_relation(copy) %}
    {%- endif %}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target_relation]}) }}

{% endmaterialization %}

{% macro create_or_replace_table_as(relation, sql) -%}
    {%- set has_contract = config.get('contract').enforced %}
    create or replace table {{ relation }}
    {%- if has_contract %}
    {{ get_assert_columns_equivalent(sql) }}
    {{ get_table_columns_and_constraints() }}
    {%- endif %}
    {{ engine_clause() }}
    {{ order_cols(label='order by') }}
    {{ primary_key_clause(label='primary key') }}
    {{ partition_cols(label='partition by') }}
    {{ ttl_config(label='ttl') }}
    {{ adapter.get_model_settings(model, config.get('engine', default='MergeTree')) }}
    as
    {%- if has_contract %}
    {#- In the order of the contract. #}
    select {{ model.columns.values() | map(attribute='name') | map('tojson') | join(', ') }}
    from (
        {{ sql }}
    )
    {%- else %}
    {{ sql }}
    {%- endif %}
    {{ adapter.get_model_query_settings(model) }}
{%- endmacro %}
