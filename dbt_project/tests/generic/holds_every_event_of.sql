{#-
    Every message id that another relation took in on its latest day, under a condition, is in the model: of older ones
    the counts by minute tell (arrivals.sql). What was inserted less than ten minutes before the model's last load may have
    become visible after it, so that is left to the next run.
-#}
{% test holds_every_event_of(model, relation, condition='true') %}
with recent as (
    select
        project_id,
        message_id
    from {{ relation }}
    where
        inserted_at < (select max(loaded.loaded_at) - interval 10 minute from {{ model }} as loaded)
        and inserted_at > (select max(landed.inserted_at) - interval 1 day from {{ relation }} as landed)
        and {{ condition }}
)

select
    project_id,
    message_id
from recent
where (project_id, message_id) not in (
    select
        project_id,
        message_id
    from {{ model }}
    where (project_id, message_id) in (
        select
            project_id,
            message_id
        from recent
    )
)
{% endtest %}
