{#-
    A table that is made anew only where something changed: a copy of it loses the rows of the keys that changed, gets the
    rows that the model gives for them, and takes the table's place in one step. A reader sees the table before or after,
    and a run that dies leaves it as it was. The copy shares the files of what stays (CREATE … CLONE AS).

    Configuration: `unique_key`, the columns of the keys (several rows may have one), and `stale_keys`, the name of the macro
    that says which keys changed; it gets those columns. `before_exchange` is the name of a macro whose statement is the last
    one before the copy, which it gets, takes the table's place. All of the table is made anew when there is none, and when
    the macro named by `all_stale` says so; without that name it is `repairs_all`. Where no key changed, nothing is done.

    Tables with sets have `settings={'min_bytes_for_wide_part': 0}`: ClickHouse keeps a part of few rows as one file, however
    much their sets take, and the delete writes that anew as a whole.
-#}
{% materialization repaired, adapter='clickhouse' %}

    {%- set target = this.incorporate(type='table') -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set copy = make_backup_relation(target, 'table') -%}
    {%- set keys = config.require('unique_key') -%}

    {{ drop_relation_if_exists(load_cached_relation(copy)) }}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {%- set stale_keys = context[config.require('stale_keys')] -%}
    {%- set all_stale = existing is none or context[config.get('all_stale', 'repairs_all')]() -%}
    {%- set is_kept = not all_stale and not has_rows('(' ~ stale_keys(keys) ~ ')') %}

    {%- if is_kept %}
    {% call noop_statement('main', 'nothing to repair') %}
        {{ sql }}
    {% endcall %}
    {%- elif existing is none %}
    {% call statement('main') %}
        {{ get_create_table_as_sql(False, target, sql) }}
    {% endcall %}
    {%- else %}
    {%- if all_stale %}
    {% call statement('main') %}
        {{ get_create_table_as_sql(False, copy, sql) }}
    {% endcall %}
    {%- else %}
    {% call statement('copy') %}
        {{ copy_table(copy, existing) }}
    {% endcall %}
    {%- set is_stale = is_among(stale_keys, keys) -%}
    {%- if has_rows(copy, is_stale) %}
    {% call statement('forget') %}
        delete from {{ stored(copy) }} {{ on_cluster_clause(copy) }}
        where {{ is_stale }}
    {% endcall %}
    {%- endif %}
    {% call statement('main') %}
        {{ clickhouse__insert_into(copy, sql, config.get('contract').enforced) }}
    {% endcall %}
    {%- set last = context[config.get('before_exchange')](copy) if config.get('before_exchange') else '' %}
    {%- if last | trim %}
    {% call statement('before_exchange') %}
        {{ last }}
    {% endcall %}
    {%- endif %}
    {%- endif %}
    {% do exchange_tables_atomic(copy, target) %}
    {%- endif %}

    {% do persist_docs(target, model) %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do adapter.commit() %}
    {%- if existing is not none and not is_kept %}
    {% do adapter.drop_relation(copy) %}
    {%- endif %}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target]}) }}

{% endmaterialization %}

{#-
    Whether a row is among those whose columns a macro selects. With `found_by`, narrow columns that leave few rows, those of
    `keys` are read only where one may lie: message ids take most of the time where all of them are read.
-#}
{% macro is_among(selected, keys, found_by=none) -%}
    {%- if found_by %}
    ({{ found_by | join(', ') }}) in ({{ selected(found_by) }})
    and {% endif -%}
    ({{ keys | join(', ') }}) in ({{ selected(keys) }})
{%- endmacro %}
