{#-
    The calendars of all projects with events: one row per time zone and first weekday. The engine wants a zone as a
    constant, so that a model which cuts calendar buckets for all projects renders one part per calendar. A query runs
    for it; while dbt only parses, or makes documents of models that are not built, there are none.
-#}
{% macro calendars(events, projects) -%}
    {%- if not execute or (flags.WHICH not in ['run', 'build'] and load_relation(events) is none) -%}
        {{ return([]) }}
    {%- endif -%}
    {%- set query -%}
        select
            if(projects.timezone = '', 'UTC', projects.timezone) as timezone,
            if(projects.week_start = 0, 1, projects.week_start) as week_start
        from {{ events }} as events
        left join {{ projects }} as projects on events.project_id = projects.project_id
        group by timezone, week_start
        order by timezone, week_start
    {%- endset -%}
    {{ return(run_query(query).rows) }}
{%- endmacro %}

{#- The events of the projects that have this calendar: a relation for an insight macro. -#}
{% macro events_of_calendar(events, projects, calendar) -%}
    (
        select events.*
        from {{ events }} as events
        left join {{ projects }} as projects on events.project_id = projects.project_id
        where
            if(projects.timezone = '', 'UTC', projects.timezone) = '{{ calendar['timezone'] }}'
            and if(projects.week_start = 0, 1, projects.week_start) = {{ calendar['week_start'] }}
    )
{%- endmacro %}
