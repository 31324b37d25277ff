{#- The columns of events that hold objects as clients sent them. -#}
{% macro objects() -%}
    {{ return(['properties', 'traits', 'traits_once', 'traits_increment', 'context']) }}
{%- endmacro %}

{#- After a change of the rules, before reread_contexts: what is read from the objects is then read from whole ones. -#}
{% macro mend_objects() -%}
    {%- if execute and is_incremental() and has_rows(this, 'context_rules != ' ~ context_rules()) -%}
    alter table {{ stored(this) }} {{ on_cluster_clause(this) }}
    update
        {%- for column in objects() %}
        {{ column }} = {{ finite_numbers(column) }}{{ ',' if not loop.last }}
        {%- endfor %}
    where context_rules != {{ context_rules() }}
    settings mutations_sync = 2
    {%- endif -%}
{%- endmacro %}

{#- After a change of the rules: works the columns out anew where other rules made them. -#}
{% macro reread_contexts() -%}
    {%- if execute and is_incremental() -%}
    {%- set outdated = run_query('select count() from ' ~ this ~ ' where context_rules != ' ~ context_rules()) -%}
    {%- if outdated.rows[0][0] -%}
    alter table {{ stored(this) }} {{ on_cluster_clause(this) }}
    update {{ context_columns(updating=true) }}
    where context_rules != {{ context_rules() }}
    -- The models that follow read what it makes.
    settings mutations_sync = 2
    {%- endif -%}
    {%- endif -%}
{%- endmacro %}
