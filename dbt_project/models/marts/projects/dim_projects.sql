{{ config(order_by='project_id') }}

-- Last of all that cuts days: who reads a rollup looks here first whether its days are those of the project's zone.
-- depends_on: {{ ref('agg_breakdowns_daily') }}
-- depends_on: {{ ref('agg_events_daily') }}
-- depends_on: {{ ref('agg_events_hourly') }}
-- depends_on: {{ ref('agg_persons_daily') }}
-- depends_on: {{ ref('agg_sessions_daily') }}

with projects as (
    select
        project_id,
        project_name,
        timezone,
        week_start,
        session_gap_minutes
    from {{ ref('stg_collector__projects') }}
)

select
    project_id,
    project_name,
    timezone,
    week_start,
    session_gap_minutes
from projects
