{#-
    fct_events is made anew only where something changed. What it was made from is written down after a run that succeeded,
    and compared in the next one, as for the deliveries in arrivals.sql:

    - by load of staging (loaded_at): how many events it has and how many of them are facts. A load for which either
      number is another now is compared event by event (int_events_arrived).
    - by key (a device, a user, a project, a user agent …): a hash of what is known of it. The events of a key with another
      hash are made anew (int_keys_hashed, int_events_changed).

    Without the table or these two, when its columns are others than its contract's, when a model before it was edited, and
    in a full refresh, all events are made anew.
-#}

{#- The models before fct_events look at what it holds from the run before: no ref, which would be a cycle. -#}
{% macro facts() -%}
    {{ generate_schema_name('marts', none) | trim }}.fct_events
{%- endmacro %}

{% macro facts_table(kind) -%}
    {{ facts() }}_{{ kind }}
{%- endmacro %}

{#-
    Whether all events are made anew in this run. Asked of the run and not of the model: the numbers of persons are never made
    anew, and still have to be given to all who have none.
-#}
{% macro rebuilds_facts() -%}
    {%- if not execute or flags.FULL_REFRESH -%}
        {{ return(true) }}
    {%- elif existing_table(facts_table('settled_rules')) is none or existing_table(facts()) is none -%}
        {{ return(true) }}
    {%- endif -%}
    {%- set condition -%}
        (select countIf(rules != '{{ facts_rules() }}') from {{ facts_table('settled_rules') }}) > 0
        or not {{ has_described_columns(existing_table(facts()), graph.nodes['model.radixinsight.fct_events']) }}
    {%- endset -%}
    {{ return(holds_in_this_run('rebuilds_facts', condition)) }}
{%- endmacro %}

{#-
    What the models before fct_events left is of their run: which events changed since the one that made the table, or, when
    all is made anew, all persons and sessions. With what another run left, events would be lost or made twice.
-#}
{% macro require_inputs_of_this_run() -%}
    {%- if execute and flags.WHICH in ['run', 'build'] -%}
        {%- set missing = [] -%}
        {%- for name in [
            'int_events_arrived', 'int_sdk_sessions', 'int_keys_hashed', 'int_keys_changed', 'int_events_changed',
            'int_events_resolved', 'int_persons_numbered', 'int_persons_changed', 'int_instants_stale', 'int_events_stale',
            'int_sessions_derived',
        ] if 'model.radixinsight.' ~ name not in selected_resources -%}
            {%- do missing.append(name) -%}
        {%- endfor -%}
        {%- if missing -%}
            {%- do exceptions.raise_compiler_error(
                'fct_events takes up what models before it find in the same run, in which are not: '
                ~ missing | join(', ') ~ '. Run the whole refresh, or for dbt, select +fct_events+ (not `dbt retry`).'
            ) -%}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{#- What decides how an event becomes a row: the models on its way as they are written, and what macros say in them. -#}
{% macro facts_rules() -%}
    {%- set checksums = [
        context_rules() | trim,
        enriched_events(
            'events', 'agents', 'addresses', ['project_id', 'message_id'],
            (enriched_columns('agent') ~ ' ' ~ enriched_columns('place') ~ ' ' ~ enriched_columns('source')).split()
            + ['enrichments'],
            sources='sources', results='results'
        ),
        derived_sessions('events'),
    ] -%}
    {%- for name in [
        'stg_collector__events', 'int_events_linking', 'int_aliases_ranked', 'int_users_merged', 'int_devices_linked',
        'int_events_identified', 'int_events_enriched', 'int_sdk_sessions', 'int_sessions_derived', 'fct_events',
    ] -%}
        {%- do checksums.append(graph.nodes['model.radixinsight.' ~ name].checksum.checksum) -%}
    {%- endfor -%}
    {{ return(local_md5(checksums | join(' '))) }}
{%- endmacro %}

{#- Whether to say `create table if not exists`: of a cluster's hosts one may lack what another one has. -#}
{% macro may_be_missing(name) -%}
    {{ return(not execute or target.cluster or existing_table(name) is none) }}
{%- endmacro %}

{#- A table by its name with the database, or none when there is none. -#}
{% macro existing_table(name) -%}
    {{ return(adapter.get_relation(database='', schema=name.split('.')[0], identifier=name.split('.')[1])) }}
{%- endmacro %}

{% macro loads() -%}
    select
        loaded_at,
        sum(staged) as staged,
        sum(held) as held
    from (
        select
            loaded_at,
            toUInt64(count()) as staged,
            toUInt64(0) as held
        from {{ ref('stg_collector__events') }}
        group by loaded_at
        union all
        select
            loaded_at,
            toUInt64(0) as staged,
            toUInt64(count()) as held
        from {{ facts() }}
        group by loaded_at
    ) as counted
    group by loaded_at
{%- endmacro %}

{#- Listed once: int_events_arrived asks four times, and each time all loads would be counted. -#}
{% macro list_unsettled_loads() -%}
    {%- if execute and not rebuilds_facts() -%}
    {% call replace_whole(facts_table('unsettled_loads'), 'loaded_at') %}
    select loaded_at
    from (
        select
            loaded_at,
            staged,
            held,
            toInt64(1) as is_now
        from ({{ loads() }}) as loads_now
        union all
        select
            loaded_at,
            staged,
            held,
            toInt64(-1) as is_now
        from {{ facts_table('settled_loads') }}
    ) as numbers
    group by loaded_at
    having sum(toInt64(staged) * is_now) != 0 or sum(toInt64(held) * is_now) != 0
    {% endcall %}
    {%- endif -%}
{%- endmacro %}

{% macro unsettled_loads() -%}
    select loaded_at
    from {{ facts_table('unsettled_loads') }}
{%- endmacro %}

{% macro settle_loads() -%}
    {% call replace_whole(facts_table('settled_loads'), 'loaded_at') %}
    {{ loads() }}
    {% endcall %}
{%- endmacro %}

{#-
    How many deliveries of the last minutes are modelled, by project. Who answers from here and from what landed since looks
    at minutes that have another number now: what was inserted some minutes ago may have become visible later.
-#}
{% macro settle_minutes() -%}
    {% call replace_whole(facts_table('settled_minutes'), '(project_id, inserted_minute)') %}
    select
        project_id,
        inserted_minute,
        landed
    from {{ arrivals_table('settled_recent', ref('stg_collector__events')) }}
    {% endcall %}
{%- endmacro %}

{#- Last: without it, the next run makes everything anew. -#}
{% macro settle_rules() -%}
    {% call replace_whole(facts_table('settled_rules'), 'rules') %}
    select '{{ facts_rules() if execute }}' as rules
    {% endcall %}
{%- endmacro %}

{% macro settle_keys() -%}
    {% call replace_whole(facts_table('settled_keys'), '(kind, project_id, key)') %}
    select
        kind,
        project_id,
        key,
        state
    from {{ ref('int_keys_hashed') }}
    {% endcall %}
{%- endmacro %}

{#- Told by the type alone, so that to count these reads no ids. -#}
{% macro may_link_persons() -%}
    type in ('identify', 'alias')
{%- endmacro %}

{#-
    The loads of staging that have another number of linking events than int_events_linking does. A load only shrinks: what
    replaces an event, or is taken in later, is of another load.
-#}
{% macro loads_with_other_links(columns) -%}
    select {{ columns | join(', ') }}
    from (
        select
            loaded_at,
            toInt64(1) as events
        from {{ ref('stg_collector__events') }}
        where {{ may_link_persons() }}
        union all
        select
            loaded_at,
            toInt64(-1) as events
        from {{ this }}
    ) as counted
    group by loaded_at
    having sum(events) != 0
{%- endmacro %}

{#- The sessions of an SDK of which an event came or went. -#}
{% macro arrived_sessions(columns) -%}
    select {{ columns | join(', ') }}
    from {{ ref('int_events_arrived') }}
    where sdk_session_key != 0
{%- endmacro %}
