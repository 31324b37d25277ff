{#-
    Every project with events: project_id, timezone, week_start, and the half-open window [starts_ms, ends_ms) that holds
    all of its events. A query runs for it, so it is empty while dbt only parses. Insight macros answer for one project and
    want its zone as a constant: a model over all projects renders one part per project.
-#}
{% macro project_settings(events, projects) -%}
    {%- if not execute -%}
        {{ return([]) }}
    {%- endif -%}
    {%- set query -%}
        with
            seen as (
                select
                    project_id,
                    toUnixTimestamp64Milli(min(timestamp)) as starts_ms,
                    toUnixTimestamp64Milli(max(timestamp)) + 1 as ends_ms
                from {{ events }}
                group by project_id
            )

        select
            seen.project_id as project_id,
            if(projects.timezone = '', 'UTC', projects.timezone) as timezone,
            if(projects.week_start = 0, 1, projects.week_start) as week_start,
            seen.starts_ms as starts_ms,
            seen.ends_ms as ends_ms
        from seen
        left join {{ projects }} as projects on seen.project_id = projects.project_id
        order by project_id
    {%- endset -%}
    {{ return(run_query(query).rows) }}
{%- endmacro %}
