"""Events that did not fit their schema: those that landed all the same, and those that were refused."""

from collections.abc import Iterator

from clickhouse_connect.driver.client import Client

from core.events import RejectReason
from core.events.deviations import generalise, parse
from governance.properties.changes import Change
from governance.properties.windows import Window

_MOST = 100_000
# Whoever sends what fits nowhere must not keep others from being told.
_MOST_OF_A_PROJECT = 1_000
_LANDED = """
select project_id, event, schema_version, arrayJoin(schema_deviations) as deviation
from {landing:Identifier}.events
where inserted_at >= {from:DateTime64(3, 'UTC')}
    and inserted_at < {until:DateTime64(3, 'UTC')}
    and notEmpty(schema_deviations)
group by project_id, event, schema_version, deviation
limit {most_of_a_project:UInt32} by project_id
limit {most:UInt32}
"""
_REFUSED = """
select project_id, detail
from {landing:Identifier}.rejects
where inserted_at >= {from:DateTime64(3, 'UTC')}
    and inserted_at < {until:DateTime64(3, 'UTC')}
    and reason = {reason:String}
group by project_id, detail
limit {most_of_a_project:UInt32} by project_id
limit {most:UInt32}
"""


def find_deviations(client: Client, landing: str, window: Window) -> Iterator[Change]:
    """Yield each way in which events of the window did not fit their schema; places in lists count as one."""
    bound = {"landing": landing, "most": _MOST, "most_of_a_project": _MOST_OF_A_PROJECT}
    bound |= {"reason": RejectReason.SCHEMA_VIOLATION} | window.bound
    for project_id, event, version, deviation in client.query(_LANDED, parameters=bound).result_rows:
        yield _change(project_id, event, version, deviation, "landed")
    for project_id, detail in client.query(_REFUSED, parameters=bound).result_rows:
        violation = parse(detail)
        if violation is not None:
            for deviation in violation.deviations:
                yield _change(project_id, violation.event, violation.version, deviation, "refused")


def _change(project_id: int, event: str, version: int, deviation: str, outcome: str) -> Change:
    pointer, _, keyword = generalise(deviation).rpartition(" ")
    return Change(project_id, event, pointer, "deviation", f"{keyword}, {outcome}", version)
