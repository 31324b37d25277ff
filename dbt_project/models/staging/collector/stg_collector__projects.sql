with source as (
    select
        project_id,
        name,
        timezone,
        week_start,
        session_gap_minutes,
        updated_at
    from {{ source('raw', 'projects') }}
    -- A handful of rows; the latest copy of each project must win before anything reads it. Not `final`: of a statement
    -- that has it, Dagster cannot tell which column is made of which.
    order by updated_at desc
    limit 1 by project_id
),

renamed as (
    select
        project_id,
        name as project_name,
        timezone,
        week_start,
        session_gap_minutes,
        updated_at
    from source
)

select * from renamed
