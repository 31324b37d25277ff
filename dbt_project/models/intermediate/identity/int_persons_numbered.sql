{#-
    A full refresh keeps the numbers: whoever holds a set of persons by number (a bitmap, a cohort) holds it still.
-#}
{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        full_refresh=false,
        order_by='(project_id, person_id)',
    )
}}

-- depends_on: {{ ref('int_events_identified') }}
-- depends_on: {{ ref('int_events_resolved') }}

with persons as (
    select
        project_id,
        person_id,
        min({{ event_order() }}) as first_at
    from {{ ref('int_events_identified') if rebuilds_facts() else ref('int_events_resolved') }}
    group by project_id, person_id
),

{%- if is_incremental() %}

known as (
    select
        project_id,
        person_id
    from {{ this }}
    where (project_id, person_id) in (
        select
            project_id,
            person_id
        from persons
    )
),

last_numbers as (
    select
        project_id,
        max(person_number) as last_number
    from {{ this }}
    group by project_id
),

unnumbered as (
    select
        persons.project_id as project_id,
        persons.person_id as person_id,
        persons.first_at as first_at,
        last_numbers.last_number as last_number
    from persons
    left join last_numbers on persons.project_id = last_numbers.project_id
    where (persons.project_id, persons.person_id) not in (
        select
            project_id,
            person_id
        from known
    )
)
{%- else %}

unnumbered as (
    select
        project_id,
        person_id,
        first_at,
        toUInt32(0) as last_number
    from persons
)
{%- endif %}

select
    project_id,
    person_id,
    toUInt32(
        last_number + row_number() over (partition by project_id order by first_at, person_id)
    ) as person_number
from unnumbered
