{#- As many rows per project as another relation has under a condition. -#}
{% test equal_rowcount_to(model, relation, condition='true') %}
select
    project_id,
    sum(ours) as ours,
    sum(theirs) as theirs
from (
    select
        project_id,
        1 as ours,
        0 as theirs
    from {{ model }}
    union all
    select
        project_id,
        0 as ours,
        1 as theirs
    from {{ relation }}
    where {{ condition }}
)
group by project_id
having ours != theirs
{% endtest %}
