with source as (
    select
        project_id,
        received_at,
        inserted_at
    from {{ source('raw', 'events') }}
    -- The last hour is enough to see how far behind the models are, and all that has to be read.
    where received_at >= now64(3) - interval 1 hour and protocol = 'canary'
)

select
    project_id,
    max(received_at) as received_at,
    max(inserted_at) as inserted_at,
    now64(3) as seen_at
from source
group by project_id
