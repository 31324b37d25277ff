{#- A session ends at the latest this long after its first event. -#}
{% macro session_cap_ms() -%}
    {{ 24 * 60 * 60 * 1000 }}
{%- endmacro %}

{#-
    What a session of an SDK is told apart by, UInt64; 0 for events without one. Ids of SDKs are 36 bytes that no codec
    makes smaller than 17, in every event; in a project with a hundred million sessions the chance that any two of them
    share a key is one in 3,700.
-#}
{% macro sdk_session_key(session_id) -%}
    if({{ session_id }} = '', 0, sipHash64('sdk', {{ session_id }}))
{%- endmacro %}

{#- The id of a derived session: a function of what it is, so that every run gives the same one. -#}
{% macro derived_session_id(relation) -%}
    sipHash64('derived', {{ relation }}.person_number, {{ relation }}.sdk_session_key, {{ relation }}.started_at)
{%- endmacro %}
