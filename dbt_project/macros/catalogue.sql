{#-
    The catalogue of properties follows the events that staging took in or lost, by the day on which they were received. A
    merge of persons, a new zone or a better database of addresses changes no property, so the log of fct_events is not
    read here. For every project and day two numbers are compared with those of the last run that succeeded: how many
    events there are, and the sum of the instants at which they were loaded. A day for which either is another now is read
    again. Counting reads three narrow columns of staging.
-#}

{#- Of the run that is under way (counted), and of the last one that succeeded (settled). -#}
{% macro days_table(kind) -%}
    {{ this.schema }}.{{ this.name }}_{{ kind }}
{%- endmacro %}

{% macro count_days() -%}
    {% call replace_whole(days_table('counted'), '(project_id, received_date)') %}
    select
        project_id,
        toDate(received_at) as received_date,
        count() as events,
        sum(toUnixTimestamp64Milli(loaded_at)) as loaded_ms,
        '{{ days_rules() if execute }}' as rules
    from {{ ref('stg_collector__events') }}
    group by project_id, received_date
    {% endcall %}
{%- endmacro %}

{#- After the model's rows are in. -#}
{% macro settle_days() -%}
    {% call replace_whole(days_table('settled'), '(project_id, received_date)') %}
    select
        project_id,
        received_date,
        events,
        loaded_ms,
        rules
    from {{ days_table('counted') }}
    {% endcall %}
{%- endmacro %}

{#- What decides how a property is read: this model and staging as they are written, and the rules for objects. -#}
{% macro days_rules() -%}
    {%- set staging = graph.nodes['model.radixinsight.stg_collector__events'] -%}
    {{ return(local_md5(model.checksum.checksum ~ staging.checksum.checksum ~ context_rules())) }}
{%- endmacro %}

{#- Whether all days are read again: the model is new, or it or staging was edited. -#}
{% macro rebuilds_days() -%}
    {%- if not execute or should_full_refresh() or not is_as_described(this, model) -%}
        {{ return(true) }}
    {%- elif existing_table(days_table('settled')) is none -%}
        {{ return(true) }}
    {%- else -%}
        {{ return(has_rows(days_table('settled'), "rules != '" ~ days_rules() ~ "'")) }}
    {%- endif -%}
{%- endmacro %}

{% macro stale_days(columns) -%}
    select {{ columns | join(', ') }}
    from (
        select
            project_id,
            received_date,
            events,
            loaded_ms
        from {{ days_table('counted') }}
        union all
        select
            project_id,
            received_date,
            events,
            loaded_ms
        from {{ days_table('settled') }}
    ) as numbers
    group by project_id, received_date
    -- Known on one side only, or otherwise on both.
    having count() = 1 or min(events) != max(events) or min(loaded_ms) != max(loaded_ms)
{%- endmacro %}

{#- More names than these of one event, or of one kind of traits, in a day or in all are one row, `(other)`. -#}
{% macro max_properties() -%}
    1000
{%- endmacro %}

{#- In bytes; longer ones are `(other)` too. -#}
{% macro max_property_name() -%}
    200
{%- endmacro %}

{#- Where there are no more values than these, all are examples. -#}
{% macro max_listed_values() -%}
    8
{%- endmacro %}

{#- Of more values, for each salt the one with the least hash: the same in every run, whatever the order of events. -#}
{% macro example_salts() -%}
    {{ return([1, 2, 3, 4, 5]) }}
{%- endmacro %}

{% macro example_hash(example, salt) -%}
    intHash64(bitXor(sipHash64({{ example }}), {{ salt }}))
{%- endmacro %}

{#- Of the sketches of values: 4 KB each at most, exact up to 128 values. -#}
{% macro sketch_precision() -%}
    12
{%- endmacro %}

{#- The sketch of values, or what is done with one, by the ending of the function's name. -#}
{% macro values_sketch(ending, arguments) -%}
    uniqCombined64{{ ending }}({{ sketch_precision() }})({{ arguments }})
{%- endmacro %}

{#- All values, or one more than are listed. -#}
{% macro few_values(ending, arguments) -%}
    groupUniqArray{{ ending }}({{ max_listed_values() | int + 1 }})({{ arguments }})
{%- endmacro %}
