{#-
    Which ways people take: from node to node within sequences of events.

    A node is what `node` gives for an event (an expression, String or Nullable(String): event, or page_path with a `where`
    of page views); an event without one is left out. `groups` are patterns of whole page paths, the first that fits gives
    the name, see insights_path_name. `exclude` is a condition on events that are left out.

    A sequence is one actor's: within one session ('session'), or ('window') what lies at most `window_ms` after the event
    that opened it (its end included), which is the first one in [start, end), then the first one after the window, and so
    on. In it, repeats in a row collapse to the first of them. The range selects sequences by their first event; they are
    followed past `end`.

    `start_point` (a node's name) makes sequences begin at the first such node, in windows at each that finds none open;
    one without it does not count. `end_point` cuts after the first such node that comes after the start point, if there is
    one; a sequence that never comes there does not count. Then the first `max_steps` nodes are kept; when only an end point
    is given, the last ones, so that it stands at position `max_steps` in all sequences.

    Columns: the `keys`, position (UInt32, from 1), name, node (both, as '2 /pricing'), next_name and next_node (Nullable),
    sequences (UInt64), avg_ms (Nullable(Float64)), drop_offs (Nullable(UInt64)). Two kinds of rows, both without those
    that less than `min_sequences` sequences take:
    - next_name is null: the node; sequences that come to it, and of these the drop-offs, which end there. To be cut, or to
      be at the end point, is no drop-off.
    - else: an edge; sequences that take it, and the average time between its two nodes.
    Grain: one row per key, node and edge. Order: key, position, the most frequent nodes and then edges first.
-#}
{%- macro insights_paths(
    relation, project, node, start, end, where='true', actor='person_number', keys=[], within='session', window_ms='0',
    exclude='false', groups=[], start_point=none, end_point=none, max_steps='5', min_sequences='1'
) -%}
{%- set of_key = (keys | join(', ')) ~ (', ' if keys else '') -%}
{%- set ends_only = end_point and not start_point -%}
{#- 0, which no node is, where nobody comes there. -#}
{%- set first_node, last_node = 'indexOf(names, ' ~ start_point ~ ')', 'indexOf(names, ' ~ end_point ~ ')' -%}
{#- A session spans less than 24 hours. -#}
{%- set margin = 'toIntervalHour(24)' if within == 'session' else 'toIntervalMillisecond(' ~ window_ms ~ ')' -%}
with
    named as (
        select
            *,
            {{ insights_path_name('toString(' ~ node ~ ')', groups) }} as name
        from {{ relation }}
        where
            project_id = {{ project }}
            and timestamp >= {{ start }}{{ ' - ' ~ margin if within == 'session' }}
            -- In a window the last millisecond counts.
            and timestamp {{ '<' if within == 'session' else '<=' }} {{ end }} + {{ margin }}
            and ({{ where }})
            and not ifNull({{ exclude }}, false)
            and ifNull({{ node }}, '') != ''
    ),

    -- An event is one number, its place in the order and that of its name in here: aggregates keep texts one by one. No node
    -- is called ''.
    (
        select arrayPushFront(arraySort(groupUniqArray(assumeNotNull(name))), '')
        from named
    ) as names,

    visited as (
        select
            {{ of_key }}{{ actor }} as actor,
            {%- if within == 'session' %}
            session_id,
            {%- endif %}
            {{ event_order_key(
                last='transform(assumeNotNull(name), names, arrayEnumerate(names), 0)'
            ) | indent(12) }} as step
        from named
    ),

    ordered as (
        select
            {{ of_key }}arraySort(groupArray(step)) as steps
        from visited
        group by {{ of_key }}actor{{ ', session_id' if within == 'session' }}
    ),

    told as (
        select
            {{ of_key }}arrayMap(step -> {{ event_order_ms('step') }}, steps) as at_ms,
            arrayMap(step -> toUInt64(bitAnd(step, {{ 2 ** 64 - 1 }})), steps) as nodes
        from ordered
    ),
{%- if within == 'session' %}

    sequences as (
        select
            {{ of_key }}at_ms,
            nodes
        from told
        where
            at_ms[1] >= toUnixTimestamp64Milli({{ start }})
            and at_ms[1] < toUnixTimestamp64Milli({{ end }})
    ),
{%- else %}

    -- The places at which a window may open; which of them do, depends on those before.
    histories as (
        select
            {{ of_key }}at_ms,
            nodes,
            arrayFilter(
                (place, at, node) -> at < toUnixTimestamp64Milli({{ end }}){{ ' and node = ' ~ first_node if start_point }},
                arrayEnumerate(at_ms),
                at_ms,
                nodes
            ) as candidates
        from told
    ),

    opened as (
        select
            {{ of_key }}at_ms,
            nodes,
            arrayFold(
                (open, place, at) -> if(
                    empty(open) or at > open[-1].2 + {{ window_ms }}, arrayPushBack(open, (place, at)), open
                ),
                candidates,
                arrayMap(place -> at_ms[place], candidates),
                []::Array(Tuple(UInt32, Int64))
            ) as openers
        from histories
        where notEmpty(candidates)
    ),

    -- Beside each event from the first window on the instant at which its window opened. No function here takes in a whole
    -- history per event: that would be quadratic.
    timed as (
        select
            {{ of_key }}arraySlice(at_ms, openers[1].1) as later_ms,
            arraySlice(nodes, openers[1].1) as later_nodes,
            arrayFlatten(arrayMap(
                (opener, following) -> arrayResize([opener.2], following - opener.1, opener.2),
                openers,
                arrayPushBack(arrayPopFront(openers.1), toUInt32(length(at_ms) + 1))
            )) as opened_ms
        from opened
    ),

    windows as (
        select
            {{ of_key }}arrayFilter(
                step -> step.1 <= step.3 + {{ window_ms }}, arrayZip(later_ms, later_nodes, opened_ms)
            ) as steps
        from timed
    ),

    split as (
        select
            {{ of_key }}arrayJoin(arraySplit(
                (step, previous_ms) -> step.3 != previous_ms,
                steps,
                arrayPushFront(arrayPopBack(steps.3), steps[1].3)
            )) as steps
        from windows
    ),

    sequences as (
        select
            {{ of_key }}steps.1 as at_ms,
            steps.2 as nodes
        from split
    ),
{%- endif %}

    collapsed as (
        select
            {{ of_key }}arrayFilter(
                (at, node, previous) -> node != previous, at_ms, nodes, arrayPushFront(arrayPopBack(nodes), 0)
            ) as walk_ms,
            arrayFilter((node, previous) -> node != previous, nodes, arrayPushFront(arrayPopBack(nodes), 0)) as walk
        from sequences
    ),

    begun as (
        select
            {{ of_key }}
            {%- if start_point %}
            arraySlice(walk_ms, indexOf(walk, {{ first_node }})) as walk_ms,
            arraySlice(walk, indexOf(walk, {{ first_node }})) as walk
            {%- else %}
            walk_ms,
            walk
            {%- endif %}
        from collapsed
        {%- if start_point %}
        where has(walk, {{ first_node }})
        {%- endif %}
    ),

    {#- Who asks for the way from a node back to it means two visits. #}
    ended as (
        select
            {{ of_key }}
            walk_ms,
            walk,
            {%- if end_point and start_point %}
            indexOf(arrayPopFront(walk), {{ last_node }}) + 1 as ends_at
            {%- elif end_point %}
            indexOf(walk, {{ last_node }}) as ends_at
            {%- else %}
            length(walk) as ends_at
            {%- endif %}
        from begun
        {%- if end_point %}
        where has({{ 'arrayPopFront(walk)' if start_point else 'walk' }}, {{ last_node }})
        {%- endif %}
    ),

    cut as (
        select
            {{ of_key }}
            {%- if ends_only %}
            arraySlice(arraySlice(walk_ms, 1, ends_at), -least(ends_at, {{ max_steps }})) as kept_ms,
            arraySlice(arraySlice(walk, 1, ends_at), -least(ends_at, {{ max_steps }})) as kept,
            toUInt32({{ max_steps }} - length(kept)) as skipped,
            {%- else %}
            arraySlice(walk_ms, 1, least(ends_at, {{ max_steps }})) as kept_ms,
            arraySlice(walk, 1, least(ends_at, {{ max_steps }})) as kept,
            toUInt32(0) as skipped,
            {%- endif %}
            {{ 'false' if end_point else 'length(walk) = length(kept)' }} as drops_off
        from ended
    ),

    moves as (
        select
            {{ of_key }}skipped + place as position,
            node_number,
            next_number,
            count() as sequences,
            avg(wait_ms) as avg_ms,
            countIf(drops_off and next_number = 0) as drop_offs
        from cut
        array join
            arrayEnumerate(kept) as place,
            kept as node_number,
            arrayPushBack(arrayPopFront(kept), 0) as next_number,
            arrayPushBack(arrayPopFront(arrayDifference(kept_ms)), 0) as wait_ms
        group by {{ of_key }}position, node_number, next_number
    ),

    nodes as (
        select
            {{ of_key }}position,
            names[node_number] as name,
            sum(moves.sequences) as comes,
            sum(moves.drop_offs) as leaves,
            arrayJoin(arrayPushFront(
                groupArrayIf((names[next_number], moves.sequences, toNullable(avg_ms)), next_number != 0),
                ('', comes, null)
            )) as move
        from moves
        group by {{ of_key }}position, node_number
    )

select
    {{ of_key }}toUInt32(position) as position,
    name,
    toString(position) || ' ' || name as node,
    nullIf(move.1, '') as next_name,
    toString(position + 1) || ' ' || next_name as next_node,
    move.2 as sequences,
    move.3 as avg_ms,
    if(move.1 = '', leaves, null) as drop_offs
from nodes
where move.2 >= {{ min_sequences }}
order by {{ of_key }}position, comes desc, name, move.1 != '', sequences desc, next_name
{%- endmacro -%}

{#-
    The name of a page path: the first of the `groups` that fits it whole, or else the path itself. Groups are SQL expressions
    of patterns, as '/product/*': `*` stands for any characters within one segment of the path, none included, `**` for any at
    all; everything else for itself.
-#}
{%- macro insights_path_name(path, groups) -%}
{%- if groups -%}
multiIf(
    {%- for pattern in groups %}
    match({{ path }}, {{ insights_path_regexp(pattern) }}), {{ pattern }},
    {%- endfor %}
    {{ path }}
)
{%- else -%}
{{ path }}
{%- endif -%}
{%- endmacro -%}

{#- A pattern of page paths as a regular expression of RE2. Quoted first, an asterisk has a backslash before it. -#}
{%- macro insights_path_regexp(pattern) -%}
concat(
    '(?s)\\A',
    replaceAll(replaceAll(regexpQuoteMeta({{ pattern }}), '\\*\\*', '.*'), '\\*', '[^/]*'),
    '\\z'
)
{%- endmacro -%}
