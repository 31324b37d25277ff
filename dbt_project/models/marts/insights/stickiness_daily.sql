{#- Made from insights/stickiness_daily.yml by `radixinsight insights write`: edit that file. -#}
{{ config(order_by='(project_id, buckets)') }}

-- depends_on: {{ ref('agg_persons_daily') }}
-- depends_on: {{ ref('stg_collector__projects') }}

{{ stickiness_mart(
    columns={
        "project_id": "UInt32",
        "buckets": "UInt32",
        "persons": "UInt64",
        "persons_at_least": "UInt64",
    },
    relation=ref('agg_persons_daily'),
    condition="true",
    interval="day",
    last=30,
    where="true",
    actor="person_number",
    of_days=true,
) }}
