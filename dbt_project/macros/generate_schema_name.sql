{#- The databases are named after the layers. A prefix gives a test, or a second copy, databases of its own. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ env_var('RADIXINSIGHT_DBT_PREFIX', '') }}{{ (custom_schema_name or 'staging') | trim }}
{%- endmacro %}
