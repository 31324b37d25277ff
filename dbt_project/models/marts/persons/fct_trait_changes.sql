{{
    config(
        materialized='repaired',
        unique_key=['project_id', 'person_number'],
        stale_keys='touched',
        order_by='(project_id, person_number, trait_name, valid_from)',
        pre_hook='{{ keep_repaired() }}',
        post_hook='{{ settle_repairs() }}',
    )
}}

{%- set is_touched =
    'true' if repairs_all() else '(project_id, person_number) in (' ~ touched(['project_id', 'person_number']) ~ ')'
%}

-- A group's traits are the group's.
with carriers as (
    select
        project_id,
        person_number,
        timestamp,
        message_id,
        traits,
        traits_once,
        traits_increment,
        {{ event_order() }} as ordering
    from {{ ref('fct_events') }}
    where
        type != 'group'
        and (traits != '' or traits_once != '' or traits_increment != '')
        and {{ is_touched }}
),

said as (
    select
        project_id,
        person_number,
        timestamp,
        message_id,
        ordering,
        arrayJoin(arrayConcat(
            arrayMap(trait -> ('set', trait.1, trait.2), JSONExtractKeysAndValuesRaw(traits)),
            arrayMap(
                trait -> ('set_once', trait.1, trait.2),
                -- Browsers send null for what they don't know.
                arrayFilter(trait -> trait.2 != 'null', JSONExtractKeysAndValuesRaw(traits_once))
            ),
            arrayMap(trait -> ('increment', trait.1, trait.2), JSONExtractKeysAndValuesRaw(traits_increment))
        )) as member
    from carriers
),

operations as (
    select
        project_id,
        person_number,
        timestamp,
        message_id,
        ordering,
        member.1 as operation,
        member.2 as trait_name,
        member.3 as operand
    from said
),

{{ trait_changes(['project_id', 'person_number']) }}

select
    project_id,
    person_number,
    trait_name,
    valid_from,
    valid_to,
    operation,
    value_before,
    value_after,
    message_id
from changes
