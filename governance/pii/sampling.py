"""Draws distinct property values out of the landing table, already reduced to those worth a look.

ClickHouse flattens JSON and compares with regular expressions at several hundred thousand events per second, Presidio
reads one or two thousand values per second: so whatever SQL can rule out never leaves the warehouse.
"""

from datetime import UTC, datetime, timedelta

from clickhouse_connect.driver.client import Client

from governance.pii import properties
from governance.pii.finding import Sample

# Anything that a recogniser could possibly accept: an at sign (or its URL form), seven digits with separators, dotted
# or coloned addresses, long tokens and keys. Numbers such as prices and most product ids stay behind.
SUSPICIOUS = (
    r"@|%40"
    r"|(?:\d[ ().\-/]{0,2}){7}"
    r"|\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}"
    r"|(?:[0-9A-Fa-f]{0,4}:){3,}"
    r"|(?:[0-9A-Fa-f]{2}-){5}"
    r"|[A-Z]{2}\d{2}[ ]?[A-Z0-9]{4}"
    r"|eyJ[A-Za-z0-9_\-]{8}"
    r"|[A-Za-z0-9_\-]{24}"
    r"|-----BEGIN"
)
# Keys that are data themselves (ids, e-mail addresses) become one `*`: they would make a path per event, and a path
# must not carry personal data into the findings.
_OPAQUE_KEY = r"@|\d{5,}|^\d+$|^[0-9a-fA-F\-]{16,}$"
_DEPTH = 5
_LONGEST_VALUE = 400
_MOST_PROPERTIES = 20_000
# An event is inserted at most this long after it was received (the spool waits out an outage); prunes partitions.
_LATEST_ARRIVAL = timedelta(days=31)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_COUNT = """
select count()
from {landing:Identifier}.events
where inserted_at >= {scanned_from:DateTime64(3, 'UTC')}
    and inserted_at < {scanned_until:DateTime64(3, 'UTC')}
    and received_at >= {received_from:DateTime64(3, 'UTC')}
"""

# Each level of the fold opens the objects and lists of the level before; what is neither stays as it is.
_SAMPLES = """
with
    leaves as (
        select
            project_id,
            event,
            arrayJoin(
                arrayFold(
                    (nodes, level) -> arrayFlatten(
                        arrayMap(
                            node -> multiIf(
                                startsWith(node.2, '{'),
                                arrayMap(
                                    member -> (
                                        concat(node.1, '.', if(match(member.1, {opaque_key:String}), '*', member.1)),
                                        member.2
                                    ),
                                    JSONExtractKeysAndValuesRaw(node.2)
                                ),
                                startsWith(node.2, '['),
                                arrayMap(item -> (concat(node.1, '[]'), item), JSONExtractArrayRaw(node.2)),
                                [node]
                            ),
                            nodes
                        )
                    ),
                    range({depth:UInt8}),
                    [
                        ('properties', properties),
                        ('traits', traits),
                        ('context', context),
                        ('user_id', toJSONString(user_id)),
                        ('anonymous_id', toJSONString(anonymous_id)),
                        ('group_id', toJSONString(group_id))
                    ]
                )
            ) as leaf,
            leaf.1 as property,
            substringUTF8(
                if(startsWith(leaf.2, '"'), JSONExtractString(leaf.2), leaf.2), 1, {longest_value:UInt32}
            ) as value
        from {landing:Identifier}.events
        where inserted_at >= {scanned_from:DateTime64(3, 'UTC')}
            and inserted_at < {scanned_until:DateTime64(3, 'UTC')}
            and received_at >= {received_from:DateTime64(3, 'UTC')}
            and cityHash64(message_id) % {one_in:UInt32} = 0
    ),
    keyed as (
        select
            project_id,
            event,
            property,
            value,
            lower(
                replaceRegexpAll(
                    replaceRegexpAll(
                        arrayElement(splitByChar('.', replaceAll(property, '[]', '')), -1),
                        '([a-z0-9])([A-Z])',
                        '\\\\1_\\\\2'
                    ),
                    '[^a-zA-Z0-9]+',
                    '_'
                )
            ) as key
        from leaves
        where value not in ('', 'true', 'false', 'null', '{}', '[]')
    )
select
    project_id,
    event,
    property,
    groupUniqArrayIf({most_values:UInt32})(
        value, match(value, {suspicious:String}) or match(key, {gated:String})
    ) as candidates,
    uniq(value) as values_seen
from keyed
group by project_id, event, property
having notEmpty(candidates)
order by project_id, event, property
limit {most_properties:UInt32}
"""


def count_events(client: Client, landing: str, scanned_from: datetime, scanned_until: datetime) -> int:
    """Return how many events of the database `landing` were inserted in the half-open window."""
    bound = _window(landing, scanned_from, scanned_until)
    return int(client.query(_COUNT, parameters=bound).result_rows[0][0])


def draw_samples(
    client: Client, landing: str, scanned_from: datetime, scanned_until: datetime, *, one_in: int, most_values: int
) -> list[Sample]:
    """Return per project, event and property up to `most_values` distinct values that may be personal data.

    Reads the events inserted in the half-open window, one in `one_in` of them (chosen by message id, so that a rerun
    reads the same ones). A value is cut to 400 characters. Properties without any such value are left out.
    """
    bound = _window(landing, scanned_from, scanned_until) | {
        "one_in": one_in,
        "most_values": most_values,
        "most_properties": _MOST_PROPERTIES,
        "depth": _DEPTH,
        "longest_value": _LONGEST_VALUE,
        "opaque_key": _OPAQUE_KEY,
        "suspicious": SUSPICIOUS,
        "gated": properties.GATED,
    }
    rows = client.query(_SAMPLES, parameters=bound).result_rows
    return [
        Sample(project_id, event, name, tuple(sorted(values)), values_seen)
        for project_id, event, name, values, values_seen in rows
    ]


def _window(landing: str, scanned_from: datetime, scanned_until: datetime) -> dict[str, object]:
    return {
        "landing": landing,
        "scanned_from": _milliseconds(scanned_from),
        "scanned_until": _milliseconds(scanned_until),
        "received_from": _milliseconds(max(scanned_from, _EPOCH + _LATEST_ARRIVAL) - _LATEST_ARRIVAL),
    }


def _milliseconds(instant: datetime) -> str:
    # The client would cut a bound datetime to whole seconds.
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S}.{instant.microsecond // 1000:03}"
