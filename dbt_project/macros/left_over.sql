{#-
    A ClickHouse that is killed leaves the table that a `create or replace` was filling, under a name that nobody looks for.
    No statement of ours takes a day.
-#}
{% macro drop_left_over() -%}
    {%- if execute -%}
        {%- set query -%}
            select concat('`', database, '`.`', name, '`')
            from system.tables
            where
                database in (
                    '{{ generate_schema_name('staging', none) | trim }}',
                    '{{ generate_schema_name('intermediate', none) | trim }}',
                    '{{ generate_schema_name('marts', none) | trim }}'
                )
                and startsWith(name, '_tmp_replace_')
                and metadata_modification_time < now() - interval 1 day
        {%- endset -%}
        {%- for row in run_query(query).rows -%}
            {%- do run_query('drop table if exists ' ~ row[0] ~ ' ' ~ on_cluster_clause(this, True)) -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
