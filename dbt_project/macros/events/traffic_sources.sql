{#-
    What the list of traffic sources (seeds/enrichment/traffic_sources.csv) says of a host or of a campaign's source in lower
    case. A host of its own (mail.google.com) says more than its domain, and that more than a brand with many domains.
    `listed` is the relation of the list.
-#}

{#- In one order in each of its columns, and worked out once in a statement. -#}
{% macro traffic_source_lines(listed) -%}
    (
        select arraySort(groupArray((concat(scope, ' ', source), toString(source_name), toString(source_type))))
        from {{ listed }}
    )
{%- endmacro %}

{#- The line of the list that holds for a source; empty where none does. -#}
{% macro traffic_source_line(source, listed) -%}
    {%- set without_www = "cutWWW(concat('//', " ~ source ~ '))' -%}
    {%- set is_word = 'position(' ~ source ~ ", '.') = 0" -%}
    {%- set host = 'if(' ~ is_word ~ ', ' ~ source ~ ", trim(leading '/' from " ~ without_www ~ '))' -%}
    {%- set brand = 'if(' ~ is_word ~ ', ' ~ source ~ ', firstSignificantSubdomain(' ~ host ~ '))' -%}
    arrayFirst(
        line -> has(tupleElement({{ traffic_source_lines(listed) | indent(8) }}, 1), line),
        [
            concat('host ', {{ host }}),
            concat('source ', {{ source }}),
            concat('host ', cutToFirstSignificantSubdomain({{ host }})),
            concat('brand ', {{ brand }})
        ]
    )
{%- endmacro %}

{#- What stands in such a line: `column` is source_name or source_type. -#}
{% macro traffic_source(column, line, listed) -%}
    transform(
        {{ line }},
        tupleElement({{ traffic_source_lines(listed) | indent(8) }}, 1),
        tupleElement({{ traffic_source_lines(listed) | indent(8) }}, {{ {'source_name': 2, 'source_type': 3}[column] }}),
        ''
    )
{%- endmacro %}
