{#-
    What the list of traffic sources (seeds/enrichment/traffic_sources.csv) says of a host or of a campaign's source in lower
    case: `column` is source_name or source_type; empty where it says nothing. A host of its own (mail.google.com) says more
    than its domain, and that more than a brand with many domains. `listed` is the relation of the list.
-#}
{% macro traffic_source(column, source, listed) -%}
    {%- set without_www = "cutWWW(concat('//', " ~ source ~ '))' -%}
    {%- set is_word = 'position(' ~ source ~ ", '.') = 0" -%}
    {%- set host = 'if(' ~ is_word ~ ', ' ~ source ~ ", trim(leading '/' from " ~ without_www ~ '))' -%}
    {%- set brand = 'if(' ~ is_word ~ ', ' ~ source ~ ', firstSignificantSubdomain(' ~ host ~ '))' -%}
    {#- In one order in each of its columns, and worked out once in a statement. -#}
    {%- set lines -%}
    (
        select arraySort(groupArray((concat(scope, ' ', source), toString(source_name), toString(source_type))))
        from {{ listed }}
    )
    {%- endset -%}
    transform(
        arrayFirst(
            line -> has(tupleElement({{ lines }}, 1), line),
            [
                concat('host ', {{ host }}),
                concat('source ', {{ source }}),
                concat('host ', cutToFirstSignificantSubdomain({{ host }})),
                concat('brand ', {{ brand }})
            ]
        ),
        tupleElement({{ lines }}, 1),
        tupleElement({{ lines }}, {{ {'source_name': 2, 'source_type': 3}[column] }}),
        ''
    )
{%- endmacro %}
