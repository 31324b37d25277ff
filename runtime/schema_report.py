"""What is new about a project's events, and how many do not fit their schema."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from clickhouse_connect.driver.client import Client

from core.events import RejectReason
from core.events.deviations import generalise, parse
from core.warehouse import ProjectScope

_CHANGES = """
select min(noticed_at) as noticed_at, event, property, change, detail, schema_version
from governance.schema_changes
where project_id = {project_id:UInt32}
group by event, property, change, detail, schema_version
having noticed_at >= {since:DateTime64(3, 'UTC')}
order by noticed_at desc, event, property, change
"""
_LANDED = """
select event, schema_version, arrayJoin(schema_deviations) as deviation, uniqExact(message_id)
from raw.events
where
    project_id = {project_id:UInt32}
    and received_at >= {since:DateTime64(3, 'UTC')}
    and notEmpty(schema_deviations)
group by event, schema_version, deviation
"""
_REFUSED = """
select detail, count()
from raw.rejects
where
    project_id = {project_id:UInt32}
    and received_at >= {since:DateTime64(3, 'UTC')}
    and reason = {reason:String}
group by detail
"""


class Noticed(NamedTuple):
    """One change."""

    noticed_at: datetime
    event: str
    property: str
    change: str
    detail: str
    schema_version: int


class Deviation(NamedTuple):
    """One way in which events do not fit a version of their schema."""

    event: str
    version: int
    deviation: str
    outcome: str
    """`landed`, or `refused` and rejected."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was noticed since an instant, latest first, and deviations with the number of their events."""

    changes: Sequence[Noticed]
    deviations: Sequence[tuple[Deviation, int]]


def report(client: Client, project_id: int, since: datetime) -> Report:
    """Read what was noticed and what was received since `since`.

    An event with a deviation in several items of a list counts once for each.
    """
    scope = ProjectScope(project_id)
    bound = {"since": since}
    counts: Counter[Deviation] = Counter()
    for event, version, deviation, events in scope.run(client, _LANDED, bound).result_rows:
        counts[Deviation(event, version, generalise(deviation), "landed")] += events
    bound_to_reason = bound | {"reason": RejectReason.SCHEMA_VIOLATION}
    for detail, events in scope.run(client, _REFUSED, bound_to_reason).result_rows:
        violation = parse(detail)
        if violation is not None:
            for deviation in violation.deviations:
                counts[Deviation(violation.event, violation.version, generalise(deviation), "refused")] += events
    changes = [Noticed(*row) for row in scope.run(client, _CHANGES, bound).result_rows]
    return Report(changes, sorted(counts.items(), key=lambda item: (-item[1], item[0])))
