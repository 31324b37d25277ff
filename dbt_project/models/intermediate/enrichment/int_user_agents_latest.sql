{{ config(materialized='view') }}

select
    user_agent,
    browser,
    browser_version,
    os,
    os_version,
    device_type,
    device_brand,
    is_bot
from {{ source('enrichment', 'user_agents') }}
-- An agent that was read by newer rules has two rows until its parts are merged.
order by looked_up_at desc
limit 1 by user_agent
