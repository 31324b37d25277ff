{{ config(order_by='(project_id, cohort_date, period_index)') }}

-- depends_on: {{ ref('fct_events') }}
-- depends_on: {{ ref('stg_collector__projects') }}

{{ retention_mart(period='week', periods=12) }}
