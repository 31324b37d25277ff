{#-
    What a message id is looked up by: 48 bits of a hash, which sorted take 3 bytes each. Another id has the same one in one
    of 14 million look-ups where there are 20 million ids; who looks up confirms what is found.
-#}
{% macro message_id_hash(message_id) -%}
    bitShiftRight(sipHash64({{ message_id }}), 16)
{%- endmacro %}
