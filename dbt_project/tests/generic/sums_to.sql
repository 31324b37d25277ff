{#- Per project, `column` adds up to the number of rows of another relation. -#}
{% test sums_to(model, column, relation) %}
select
    project_id,
    sum(ours) as ours,
    sum(theirs) as theirs
from (
    select
        project_id,
        {{ column }} as ours,
        toUInt64(0) as theirs
    from {{ model }}
    union all
    select
        project_id,
        toUInt64(0) as ours,
        toUInt64(1) as theirs
    from {{ relation }}
)
group by project_id
having ours != theirs
{% endtest %}
