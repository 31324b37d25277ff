{#- The adapter's macro, which lists the columns first to leave out what is not there, a statement for each model. -#}
{% macro clickhouse__persist_docs(relation, model, for_relation, for_columns) -%}
    {%- set comments = [] %}
    {%- if for_relation and config.persist_relation_docs() and model.description %}
    {%- do comments.append('modify comment ' ~ clickhouse_escape_comment(model.description) | trim) %}
    {%- endif %}
    {%- if for_columns and config.persist_column_docs() %}
    {%- for column in model.columns.values() if column.description %}
    {%- do comments.append(
        'comment column if exists ' ~ adapter.quote(column.name) ~ ' ' ~ clickhouse_escape_comment(column.description) | trim
    ) %}
    {%- endfor %}
    {%- endif %}
    {%- if comments %}
    {%- do run_query(one_alter_relation(relation, comments | join(', '))) %}
    {%- endif %}
{%- endmacro %}
