{#-
    A table that is made anew in each run: a copy is filled by one statement and takes the table's place. The adapter's
    `table` takes seven where this takes four (fill, exchange, comment, drop), and a refresh with little news is mostly
    statements; a contract adds one to both. A reader sees the table before or after, and a run that dies leaves it as it was.
    The exchange is a statement of its own: what fills the copy may outlive the dbt that asked for it.

    Indexes, projections, headers of the SQL, and tables that a materialized view of dbt's writes into want the adapter's
    `table`.
-#}
{% materialization replaced, adapter='clickhouse' %}

    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set copy = make_backup_relation(target_relation, 'table') -%}
    {%- if config.get('indexes') or config.get('projections') or config.get('sql_header')
        or clickhouse__get_dbt_mvs_for_target(existing) %}
    {%- do exceptions.raise_compiler_error(
        "Indexes, projections, sql_header and being fed by a materialized view want materialized='table'."
    ) %}
    {%- endif %}

    {{ drop_relation_if_exists(load_cached_relation(copy)) }}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {#- On a cluster a view has no stored table that a copy's could be exchanged with. -#}
    {%- set is_filled_aside = not target.cluster or (existing is not none and existing.is_table) -%}
    {%- if existing is not none and not is_filled_aside %}
    {% do adapter.drop_relation(existing) %}
    {%- endif %}
    {% call statement('main') %}
        {{ filled_table(copy if is_filled_aside else target_relation, sql) }}
    {% endcall %}
    {%- if is_filled_aside and existing is none %}
    {% do adapter.rename_relation(copy, target_relation) %}
    {%- elif is_filled_aside %}
    {% do exchange_tables_atomic(copy, target_relation) %}
    {%- endif %}

    {% do apply_grants(target_relation, config.get('grants'), should_revoke(existing, full_refresh_mode=True)) %}
    {% do persist_docs(target_relation, model) %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do adapter.commit() %}
    {%- if is_filled_aside and existing is not none %}
    {% do adapter.drop_relation(copy) %}
    {%- endif %}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target_relation]}) }}

{% endmaterialization %}

{#- A new table with what a select gives; on a cluster it is made first, because each host would fill it. -#}
{% macro filled_table(relation, sql) -%}
    {%- if target.cluster %}
    {{ get_create_table_as_sql(False, relation, sql) }}
    {%- else %}
    {%- set has_contract = config.get('contract').enforced %}
    create table {{ relation }}
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
    {%- set columns = [] %}
    {%- for column in model.columns.values() %}
    {%- do columns.append(adapter.quote(column.name)) %}
    {%- endfor %}
    {#- In the order of the contract. #}
    select {{ columns | join(', ') }}
    from (
        {{ sql }}
    )
    {%- else %}
    {{ sql }}
    {%- endif %}
    {{ adapter.get_model_query_settings(model) }}
    {%- endif %}
{%- endmacro %}
