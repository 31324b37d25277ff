{#-
    No two rows have the same values in `columns`. Of a large table that says in the column `since` when each row was made,
    only the rows of the last hour before its latest one are looked for among all: the others were looked for before.
-#}
{% test unique_together(model, columns, since=none) %}
select {{ columns | join(', ') }}
from {{ model }}
{%- if since %}
where ({{ columns | join(', ') }}) in (
    select {{ columns | join(', ') }}
    from {{ model }}
    where {{ since }} > (select max({{ since }}) - interval 1 hour from {{ model }})
)
{%- endif %}
group by {{ columns | join(', ') }}
having count() > 1
{% endtest %}
