{#-
    Whom an event counts for: the user that it names, or the one that the latest link of its device before it leads to.
    What came before a device's first link belongs to that link's user. Empty: an anonymous person.
    `links` is the device's list of (event order, user), in order; `merged_user_id` whom the named user was merged into.
-#}
{% macro person_user_id(user_id, merged_user_id, links, ordering) -%}
    multiIf(
        {{ merged_user_id }} != '', {{ merged_user_id }},
        {{ user_id }} != '', {{ user_id }},
        empty({{ links }}), '',
        length({{ links }}) = 1 or {{ ordering }} < tupleElement({{ links }}[1], 1),
        tupleElement({{ links }}[1], 2),
        tupleElement(arrayLast(link -> link.1 <= {{ ordering }}, {{ links }}), 2)
    )
{%- endmacro %}

{#- Ids of users and of devices are apart: a device may be called as a user is. -#}
{% macro person_id(person_user_id, anonymous_id) -%}
    if({{ person_user_id }} = '', concat('anonymous:', {{ anonymous_id }}), concat('user:', {{ person_user_id }}))
{%- endmacro %}
