{#- What the model says in `columns` is there in another relation's columns of the same names. -#}
{% test refers_to(model, columns, relation) %}
select distinct {{ columns | join(', ') }}
from {{ model }}
where ({{ columns | join(', ') }}) not in (
    select {{ columns | join(', ') }}
    from {{ relation }}
)
{% endtest %}
