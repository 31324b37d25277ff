{#-
    Devices and merges follow from a few events in a hundred, and from all of those each time. They are kept apart, so that a
    run reads only the types of all events, to count them. A load that has another number of them now is read again.
-#}
{{
    config(
        materialized='repaired',
        unique_key=['loaded_at'],
        stale_keys='loads_with_other_links',
        all_stale='rebuilds_facts',
        order_by='(loaded_at, project_id, message_id)',
    )
}}

{%- set is_to_read =
    'true' if rebuilds_facts() or load_relation(this) is none
    else 'loaded_at in (' ~ loads_with_other_links(['loaded_at']) ~ ')'
%}

select
    project_id,
    message_id,
    type,
    anonymous_id,
    user_id,
    previous_id,
    timestamp,
    received_at,
    sequence,
    loaded_at
from {{ ref('stg_collector__events') }}
where {{ may_link_persons() }} and {{ is_to_read }}
