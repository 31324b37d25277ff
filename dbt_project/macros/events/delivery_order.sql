{#-
    Which of two deliveries of one event came first. Deliveries in the same millisecond are told apart by their place in
    the request, their spool segment and at last their content, so that every run makes the same choice.
-#}
{% macro delivery_order(relation=none) -%}
    {%- set prefix = relation ~ '.' if relation else '' -%}
    (
        {{ prefix }}received_at,
        {{ prefix }}sequence,
        {{ prefix }}batch_id,
        sipHash64(
            {{ prefix }}timestamp,
            {{ prefix }}type,
            {{ prefix }}event,
            {{ prefix }}anonymous_id,
            {{ prefix }}user_id,
            {{ prefix }}previous_id,
            {{ prefix }}session_id,
            {{ prefix }}properties,
            {{ prefix }}traits
        )
    )
{%- endmacro %}
