{#- Conditions on the columns of a table: the adapter takes three times as long for their list. -#}

{#- Whether a table has the columns of a model's contract, in any order. -#}
{% macro has_described_columns(relation, node) -%}
    {%- set described = [] -%}
    {%- for name, column in node.columns.items() -%}
        {%- do described.append("('" ~ name ~ "', '" ~ (column.data_type or '').replace("'", "\\'") ~ "')") -%}
    {%- endfor -%}
    (
        select arraySort(groupArray((name, type))) = arraySort([{{ described | join(', ') }}])
        from system.columns
        where database = '{{ relation.schema }}' and table = '{{ relation.identifier }}'
    )
{%- endmacro %}

{#- Whether a table, named with its database, has a column. -#}
{% macro has_column(table, column) -%}
    (
        select count() > 0
        from system.columns
        where
            database = '{{ table.split('.')[0] }}'
            and table = '{{ table.split('.')[1] }}'
            and name = '{{ column }}'
    )
{%- endmacro %}
