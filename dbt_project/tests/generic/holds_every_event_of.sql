{#-
    Every message id that another relation has under a condition is in the model. What was inserted less than ten minutes before the model's
    last load may have become visible after it, so that is left to the next run.
-#}
{% test holds_every_event_of(model, relation, condition='true') %}
select
    project_id,
    message_id
from (
    select
        project_id,
        message_id,
        0 as is_held
    from {{ relation }}
    where
        inserted_at < (select max(loaded.loaded_at) - interval 10 minute from {{ model }} as loaded)
        and {{ condition }}
    union all
    select
        project_id,
        message_id,
        1 as is_held
    from {{ model }}
)
group by project_id, message_id
having max(is_held) = 0
{% endtest %}
