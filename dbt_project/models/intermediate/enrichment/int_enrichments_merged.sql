{{ config(materialized='view') }}

with results as (
    select
        project_id,
        message_id,
        processor,
        properties
    -- final: a result that was made anew replaces the one before, also while their parts are not merged yet.
    from {{ source('enrichment', 'custom') }} final
)

select
    project_id,
    message_id,
    concat(
        '{',
        arrayStringConcat(
            arrayMap(
                result -> concat(toJSONString(result.1), ':', result.2),
                arraySort(groupArray((toString(processor), properties)))
            ),
            ','
        ),
        '}'
    ) as enrichments
from results
group by project_id, message_id
