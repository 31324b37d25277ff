{#- Made from insights/retention_daily.yml by `radixinsight insights write`: edit that file. -#}
{{ config(order_by='(project_id, cohort_date, period_index)') }}

-- depends_on: {{ ref('agg_persons_daily') }}
-- depends_on: {{ ref('stg_collector__projects') }}

{{ retention_mart(
    columns={
        "project_id": "UInt32",
        "cohort_date": "Date32",
        "period_index": "UInt32",
        "persons": "UInt64",
        "cohort_size": "UInt64",
        "is_complete": "Bool",
    },
    relation=ref('agg_persons_daily'),
    period="day",
    periods=14,
    start_condition="true",
    return_condition="true",
    where="true",
    cohort="first_time",
    return_rule="on",
    brackets="[]",
) }}
