{#- What columns a table has. ClickHouse is asked for a yes or no: the adapter takes three times as long for a list. -#}

{#- A condition: whether a table has the columns of a model's contract, in any order. -#}
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

{#- Whether a table is there as its contract says, so that rows can be added to it. -#}
{% macro is_as_described(relation, node) -%}
    {{ return(
        relation is not none and load_relation(relation) is not none and holds(has_described_columns(relation, node))
    ) }}
{%- endmacro %}

{#- A condition: whether a table, named with its database, has a column. -#}
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
