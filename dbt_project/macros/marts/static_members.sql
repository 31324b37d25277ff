{#-
    A static cohort stays what it was when it was computed: its table is made anew only where there is none, or where the
    version that ends the table's comment is that of another definition. A full refresh keeps it too, as it keeps the
    numbers of persons.
-#}
{% macro computes_members() -%}
    {%- if not execute -%}
        {{ return(true) }}
    {%- endif -%}
    {%- set version = '(' ~ (model.description.split('(') | last) -%}
    {%- set is_of_version -%}
        database = '{{ this.schema }}' and name = '{{ this.identifier }}' and endsWith(comment, '{{ version }}')
    {%- endset -%}
    {{ return(not has_rows('system.tables', is_of_version)) }}
{%- endmacro %}

{#- The persons of a static cohort that are no more: they were erased, or merged into others. -#}
{% macro gone_members(columns) -%}
    {%- set columns = columns | join(', ') -%}
    select {{ columns }}
    from {{ this }}
    where ({{ columns }}) not in (
        select {{ columns }}
        from {{ ref('dim_persons') }}
    )
{%- endmacro %}

{#-
    On a cluster the Distributed table is made anew from the stored one whenever that is exchanged, and takes its comment:
    a run that dies right after that leaves a table that tells by which definition it was computed.
-#}
{% macro keep_version() -%}
    {%- if target.cluster -%}
    alter table {{ stored(this) }} {{ on_cluster_clause(this) }}
    modify comment {{ clickhouse_escape_comment(model.description) | trim }}
    {%- endif -%}
{%- endmacro %}
