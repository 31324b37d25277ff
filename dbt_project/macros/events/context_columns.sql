{#-
    What an event says of page, campaign, screen and place, by column: from its context in Segment's shape, which every
    wire protocol is translated to, and for a page call also from its properties. Only the columns context, properties
    and type are read, so that one statement can work it out anew for all history. The engine works out an expression
    that stands in several columns once.
-#}

{#-
    To be counted up with every change of the columns below, or of what is done to objects (finite_numbers.sql): rows that
    were made by other rules are made again.
-#}
{% macro context_rules() -%}
    2
{%- endmacro %}

{% macro context_read() -%}
    JSONExtract(
        context,
        'Tuple(page Tuple(url String, path String, search String, title String, referrer String),
            campaign Tuple(source String, medium String, name String, term String, content String),
            screen Tuple(width Float64, height Float64, density Float64),
            location Tuple(country String, region String, city String),
            os Tuple(name String, version String), device Tuple(type String), locale String, timezone String)'
    )
{%- endmacro %}

{% macro said_in_context(section, member) -%}
    tupleElement(tupleElement({{ context_read() }}, '{{ section }}'), '{{ member }}')
{%- endmacro %}

{#- Clients of Segment's API on servers say the page in the properties of its call. -#}
{% macro page_call_read() -%}
    JSONExtract(
        if(type = 'page', properties, ''), 'Tuple(url String, path String, search String, title String, referrer String)'
    )
{%- endmacro %}

{% macro said_of_page(member) -%}
    if(
        {{ said_in_context('page', member) }} != '',
        {{ said_in_context('page', member) }},
        tupleElement({{ page_call_read() }}, '{{ member }}')
    )
{%- endmacro %}

{% macro said_campaign(member, parameter) -%}
    if(
        {{ said_in_context('campaign', member) }} != '',
        {{ said_in_context('campaign', member) }},
        {{ query_parameter(parameter) }}
    )
{%- endmacro %}

{% macro page_query() -%}
    if(
        {{ said_of_page('url') }} != '',
        queryString({{ said_of_page('url') }}),
        trim(leading '?' from {{ said_of_page('search') }})
    )
{%- endmacro %}

{% macro query_parameter(name) -%}
    if(
        {{ page_query() }} = '',
        '',
        decodeURLFormComponent(extractURLParameter(concat('?', {{ page_query() }}), '{{ name }}'))
    )
{%- endmacro %}

{#- The first parameter of the query that is an advertiser's id of a click, as `name=value`. -#}
{% macro click_parameter() -%}
    if(
        {{ page_query() }} = '',
        '',
        arrayFirst(
            parameter -> lower(splitByChar('=', parameter)[1]) in (
                'gclid', 'gbraid', 'wbraid', 'dclid', 'msclkid', 'fbclid', 'igshid', 'ttclid', 'twclid', 'li_fat_id',
                'sccid', 'rdt_cid', 'epik', 'qclid', 'yclid', 'irclickid', 'mc_cid', '_kx'
            ),
            extractURLParameters(concat('?', {{ page_query() }}))
        )
    )
{%- endmacro %}

{#- Without a trailing slash: /pricing/ and /pricing are one page. -#}
{% macro canonical_path(path) -%}
    if(length({{ path }}) > 1, trim(trailing '/' from {{ path }}), {{ path }})
{%- endmacro %}

{% macro page_path() -%}
    if(
        {{ said_of_page('url') }} != '',
        if(
            path({{ said_of_page('url') }}) = '' and domain({{ said_of_page('url') }}) != '',
            '/',
            path({{ said_of_page('url') }})
        ),
        path({{ said_of_page('path') }})
    )
{%- endmacro %}

{#- All columns, or those that `only` names: for a select or, with `updating`, for an update. -#}
{% macro context_columns(updating=false, only=none) -%}
    {%- set columns = [
        ('page_url', said_of_page('url')),
        ('page_host', 'toLowCardinality(lower(domain(' ~ said_of_page('url') ~ ')))'),
        ('page_path', canonical_path(page_path())),
        ('page_query', page_query()),
        ('page_fragment', 'fragment(' ~ said_of_page('url') ~ ')'),
        ('page_title', said_of_page('title')),
        ('referrer', said_of_page('referrer')),
        ('referrer_host', 'toLowCardinality(lower(domain(' ~ said_of_page('referrer') ~ ')))'),
        ('utm_source', 'toLowCardinality(' ~ said_campaign('source', 'utm_source') ~ ')'),
        ('utm_medium', 'toLowCardinality(' ~ said_campaign('medium', 'utm_medium') ~ ')'),
        ('utm_campaign', 'toLowCardinality(' ~ said_campaign('name', 'utm_campaign') ~ ')'),
        ('utm_term', said_campaign('term', 'utm_term')),
        ('utm_content', said_campaign('content', 'utm_content')),
        ('click_id_type', "toLowCardinality(lower(splitByChar('=', " ~ click_parameter() ~ ')[1]))'),
        ('click_id', "decodeURLComponent(splitByChar('=', " ~ click_parameter() ~ ', 2)[2])'),
        ('screen_width', "accurateCastOrDefault(round(" ~ said_in_context('screen', 'width') ~ "), 'UInt32')"),
        ('screen_height', "accurateCastOrDefault(round(" ~ said_in_context('screen', 'height') ~ "), 'UInt32')"),
        ('screen_density', 'toFloat32(' ~ said_in_context('screen', 'density') ~ ')'),
        ('locale', 'toLowCardinality(tupleElement(' ~ context_read() ~ ", 'locale'))"),
        ('device_timezone', 'toLowCardinality(tupleElement(' ~ context_read() ~ ", 'timezone'))"),
        ('said_country', 'toLowCardinality(upper(' ~ said_in_context('location', 'country') ~ '))'),
        ('said_region', 'toLowCardinality(' ~ said_in_context('location', 'region') ~ ')'),
        ('said_city', 'toLowCardinality(' ~ said_in_context('location', 'city') ~ ')'),
        ('said_os', 'toLowCardinality(' ~ said_in_context('os', 'name') ~ ')'),
        ('said_os_version', 'toLowCardinality(' ~ said_in_context('os', 'version') ~ ')'),
        ('said_device_type', 'toLowCardinality(lower(' ~ said_in_context('device', 'type') ~ '))'),
        ('context_rules', 'toUInt16(' ~ context_rules() ~ ')'),
    ] -%}
    {%- for column, expression in columns if only is none or column in only %}
    {{ column ~ ' = ' ~ expression if updating else expression ~ ' as ' ~ column }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}
