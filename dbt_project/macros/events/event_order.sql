{#-
    The order of a person's events: by when they happened; among equals, the order in which the client sent them
    (request by request, then the place in the request). The message id makes it total.
-#}
{% macro event_order(relation=none) -%}
    {%- set prefix = relation ~ '.' if relation else '' -%}
    ({{ prefix }}timestamp, {{ prefix }}received_at, {{ prefix }}sequence, {{ prefix }}message_id)
{%- endmacro %}

{#-
    Nearly the same order as one number, UInt256: aggregates compare it four times as fast as the tuple, and keep it in 32
    bytes. 48 bits of each instant, 32 of the place. Two requests of one millisecond may have events of one instant at one
    place: the first 8 bytes of their message ids tell them apart, and where these are the same `last`, 64 bits.
-#}
{% macro event_order_key(last='sipHash64(message_id)') -%}
    {%- set epoch = 2 ** 46 -%}
    bitOr(
        bitOr(
            bitShiftLeft(toUInt256(toUnixTimestamp64Milli(timestamp) + {{ epoch }}), 208),
            bitShiftLeft(toUInt256(toUnixTimestamp64Milli(received_at) + {{ epoch }}), 160)
        ),
        bitOr(
            bitShiftLeft(toUInt256(sequence), 128),
            bitOr(
                bitShiftLeft(
                    toUInt256(reinterpretAsUInt64(reverse(toFixedString(substring(message_id, 1, 8), 8)))), 64
                ),
                toUInt256({{ last }})
            )
        )
    )
{%- endmacro %}

{#- The instant of an event by that number, in milliseconds since 1970, Int64. -#}
{% macro event_order_ms(key) -%}
    toInt64(bitShiftRight({{ key }}, 208)) - {{ 2 ** 46 }}
{%- endmacro %}
