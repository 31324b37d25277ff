{#- Whether a relation has any row now. Asked while a model runs, so that work for nothing is not rendered at all. -#}
{% macro has_rows(relation, condition='true') -%}
    {{ return((run_query('select 1 from ' ~ relation ~ ' where ' ~ condition ~ ' limit 1').rows | length) > 0) }}
{%- endmacro %}

{#- Whether a condition is so now. -#}
{% macro holds(condition) -%}
    {{ return(has_rows('(select ' ~ condition ~ ' as is_so)', 'is_so')) }}
{%- endmacro %}

{#-
    Whether a condition was so when it was asked for the first time in this run, by a name: `graph` is what all models of a
    run have in common.
-#}
{% macro holds_in_this_run(name, condition) -%}
    {%- if name not in graph -%}
        {%- do graph.update({name: holds(condition)}) -%}
    {%- endif -%}
    {{ return(graph[name]) }}
{%- endmacro %}
