{#-
    The order of a person's events: by when they happened; among equals, the order in which the client sent them
    (request by request, then the place in the request). The message id makes it total.
-#}
{% macro event_order(relation=none) -%}
    {%- set prefix = relation ~ '.' if relation else '' -%}
    ({{ prefix }}timestamp, {{ prefix }}received_at, {{ prefix }}sequence, {{ prefix }}message_id)
{%- endmacro %}
