{{ config(order_by='(project_id, cohort_date, period_index)') }}

-- depends_on: {{ ref('agg_persons_daily') }}
-- depends_on: {{ ref('stg_collector__projects') }}

{{ retention_mart(period='day', periods=14) }}
