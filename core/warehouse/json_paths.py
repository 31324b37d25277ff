"""Which members the JSON of events has, and of which types: one query for whoever asks.

100,000 events/s with 17 members on two levels (two cores; docs/performance.md).
"""

from core.events.deviations import OPAQUE_NAME

DEPTH = 5
MOST_PATHS = 500
"""Members of one event that are told apart; those in the fewest rows are left out first."""

# Each level of the fold opens the objects and lists of the level before; what is neither stays as it is. A pair is
# counted once per row: a list of many objects is one row with them.
_QUERY = """
with
    pairs as (
        select
            project_id,
            event,
            inserted_at,
            arrayJoin(
                arrayDistinct(
                    arrayMap(
                        node -> (
                            node.1,
                            multiIf(
                                node.2 = '', '',
                                substring(node.2, 1, 1) in ('"', '{', '[', 't', 'f', 'n'),
                                transform(
                                    substring(node.2, 1, 1),
                                    ['"', '{', '[', 'n'],
                                    ['string', 'object', 'array', 'null'],
                                    'boolean'
                                ),
                                match(node.2, '[.eE]'), 'number',
                                'integer'
                            )
                        ),
                        arrayFold(
                            (nodes, level) -> arrayFlatten(
                                arrayMap(
                                    node -> multiIf(
                                        startsWith(node.2, '{'),
                                        arrayConcat(
                                            [(node.1, '{')],
                                            arrayMap(
                                                member -> (concat(node.1, char(31), member.1), member.2),
                                                JSONExtractKeysAndValuesRaw(node.2)
                                            )
                                        ),
                                        startsWith(node.2, '['),
                                        arrayConcat(
                                            [(node.1, '[')],
                                            arrayMap(
                                                item -> (concat(node.1, char(31), '[]'), item),
                                                JSONExtractArrayRaw(node.2)
                                            )
                                        ),
                                        [node]
                                    ),
                                    nodes
                                )
                            ),
                            range({depth:UInt8}),
                            [if(type in ('identify', 'group'), ('traits', traits), ('properties', properties))]
                        )
                    )
                )
            ) as pair
        from (<<events>>)
    ),
    counted as (
        select
            project_id,
            event,
            pair.1 as path,
            pair.2 as json_type,
            count() as deliveries,
            min(inserted_at) as first_seen_at,
            max(inserted_at) as last_seen_at
        from pairs
        group by project_id, event, path, json_type
    )
select
    project_id,
    event,
    arrayMap(name -> if(match(name, {opaque_name:String}), '*', name), splitByChar(char(31), path)) as steps,
    arraySort(groupUniqArrayIf(json_type, json_type != '')) as types,
    sum(deliveries) as deliveries,
    min(first_seen_at) as first_seen_at,
    max(last_seen_at) as last_seen_at,
    count() over (partition by project_id, event) as paths
from counted
group by project_id, event, steps
order by project_id, event, deliveries desc, steps
limit {most_paths:UInt32} by project_id, event
"""


def paths_query(events: str) -> str:
    """Return the query over the rows of `events`, a query for project_id, event, type, properties, traits, inserted_at.

    One row per project, event and member: its steps (the first is the column, `[]` the items of a list, `*` a name
    that is data itself; the column alone is the event as a whole), its JSON types, in how many rows it is, the first
    and the last `inserted_at`, and how many members the event has. Of an event at most `MOST_PATHS` rows. To be run
    with `PARAMETERS`.
    """
    return _QUERY.replace("<<events>>", events)


PARAMETERS: dict[str, object] = {"depth": DEPTH, "opaque_name": OPAQUE_NAME, "most_paths": MOST_PATHS}
"""What `paths_query` binds, beside what its events do."""
