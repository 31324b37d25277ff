{#- Made from insights/lifecycle_weekly.yml by `radixinsight insights write`: edit that file. -#}
{{ config(order_by='(project_id, bucket_at)') }}

-- depends_on: {{ ref('agg_persons_daily') }}
-- depends_on: {{ ref('stg_collector__projects') }}

{{ lifecycle_mart(
    columns={
        "project_id": "UInt32",
        "bucket_at": "DateTime64(0, 'UTC')",
        "bucket_date": "Date32",
        "new_persons": "UInt64",
        "returning_persons": "UInt64",
        "resurrecting_persons": "UInt64",
        "dormant_persons": "Int64",
        "active_persons": "UInt64",
        "is_complete": "Bool",
    },
    relation=ref('agg_persons_daily'),
    condition="true",
    interval="week",
    last=26,
    where="true",
    actor="person_number",
    of_days=true,
) }}
