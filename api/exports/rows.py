"""What is in an export, read in slices that are small enough for one query each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.insights.moments import literal
from api.settings import ApiSettings
from api.warehouse import Warehouse
from core.metadata.exports import Export
from core.warehouse import ProjectScope

_ROWS_OF_A_SLICE = 20_000
# Of each column what it holds: text, instant, integer, truth, or an object of JSON as text.
_EVENTS = {
    "timestamp": "instant", "event": "text", "type": "text", "user_id": "text", "anonymous_id": "text",
    "person_id": "text", "person_number": "integer", "session_id": "text", "group_type": "text", "group_id": "text",
    "page_host": "text", "page_path": "text", "channel": "text", "country": "text", "browser": "text", "os": "text",
    "device_type": "text", "properties": "json", "received_at": "instant", "message_id": "text",
}  # fmt: skip
_PERSONS = {
    "person_id": "text", "user_id": "text", "is_identified": "truth", "person_number": "integer",
    "first_seen_at": "instant", "last_seen_at": "instant", "events": "integer", "sessions": "integer", "traits": "json",
}  # fmt: skip
_SHOWN = {
    "events": {name: f"listed.{name} as {name}" for name in _EVENTS}
    | {
        "user_id": "ids.user_id as user_id",
        "anonymous_id": "ids.anonymous_id as anonymous_id",
        "person_id": "names.person_id as person_id",
        "session_id": "toString(listed.session_id) as session_id",
    },
    "persons": {name: name for name in _PERSONS} | {"is_identified": "toBool(is_identified) as is_identified"},
}
COLUMNS = {"events": _EVENTS, "persons": _PERSONS}

_OF_EVENTS = """project_id = {project_id:UInt32}
    and timestamp >= {start:DateTime64(3, 'UTC')} and timestamp < {end:DateTime64(3, 'UTC')}
    and (empty({event:String}) or event = {event:String})"""
_HOURS = """
select toUnixTimestamp64Milli(toDateTime64(toStartOfHour(timestamp), 3, 'UTC')) as first, count() as rows
from marts.fct_events
where
    {condition}
group by first
order by first
"""
_OF_SLICE = """{condition}
        and timestamp >= fromUnixTimestamp64Milli({first:Int64}, 'UTC')
        and timestamp < fromUnixTimestamp64Milli({last:Int64}, 'UTC')
        and cityHash64(message_id) % {parts:UInt32} = {part:UInt32}"""
# Ids as they were sent are in staging alone, masked and erased as everywhere: see insights_event_list of the macros.
_EVENT_ROWS = """
select
    {columns}
from (
    select *
    from marts.fct_events
    where {slice}
) as listed
left join (
    select message_id, user_id, anonymous_id
    from staging.stg_collector__events
    where
        project_id = {project_id:UInt32}
        and (received_at, message_id) in (
            select received_at, message_id
            from marts.fct_events
            where {slice}
        )
) as ids on listed.message_id = ids.message_id
left join (
    select person_number, person_id
    from marts.dim_persons
    where
        project_id = {project_id:UInt32}
        and person_number in (
            select person_number
            from marts.fct_events
            where {slice}
        )
) as names on listed.person_number = names.person_number
"""
_NUMBERS = """
select toInt64(intDiv(person_number, {size:UInt32}) * {size:UInt32}) as first, count() as rows
from marts.dim_persons
where project_id = {project_id:UInt32}
group by first
order by first
"""
_PERSON_ROWS = """
select
    {columns}
from marts.dim_persons
where
    project_id = {project_id:UInt32}
    and person_number >= {first:Int64} and person_number < {last:Int64}
    and cityHash64(person_id) % {parts:UInt32} = {part:UInt32}
"""
_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Slice:
    """Hours of events or numbers of persons, `[first, last)`; of very many one part of so many, by their ids."""

    first: int
    last: int
    parts: int = 1
    part: int = 0

    @property
    def parameters(self) -> dict[str, Any]:
        """Return the values that choose it."""
        return {"first": self.first, "last": self.last, "parts": self.parts, "part": self.part}


class ExportRows:
    """The rows of exports, as the models are at the moment at which a slice is read. Raises what `query` raises."""

    def __init__(self, settings: ApiSettings, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._marts = settings.marts_database
        self._staging = settings.staging_database

    async def slices(self, export: Export) -> tuple[int, list[Slice]]:
        """Return how many rows there are, and the slices that hold them."""
        if export.kind == "events":
            found = await self._asked(export, _HOURS, _range_of(export))
            width = _HOUR_MS
        else:
            found = await self._asked(export, _NUMBERS, {"size": _ROWS_OF_A_SLICE})
            width = _ROWS_OF_A_SLICE
        counted = [(int(row["first"]), int(row["rows"])) for row in found]
        return sum(rows for _, rows in counted), list(joined(counted, width))

    async def read(self, export: Export, piece: Slice) -> list[dict[str, Any]]:
        """Return the rows of a slice."""
        if export.kind == "events":
            return await self._asked(export, _EVENT_ROWS, _range_of(export) | piece.parameters)
        return await self._asked(export, _PERSON_ROWS, piece.parameters)

    async def _asked(self, export: Export, template: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        columns = ",\n    ".join(_SHOWN[export.kind].values())
        sql = template.replace("{columns}", columns).replace("{slice}", _OF_SLICE).replace("{condition}", _OF_EVENTS)
        sql = sql.replace("marts.", f"{self._marts}.").replace("staging.", f"{self._staging}.")
        return (await self._warehouse.query(ProjectScope(export.project_id), sql, parameters)).rows


def _range_of(export: Export) -> dict[str, Any]:
    assert export.range_start is not None  # noqa: S101 - the table has no events without a range
    assert export.range_end is not None  # noqa: S101 - see above
    return {"start": literal(export.range_start), "end": literal(export.range_end), "event": export.event or ""}


def joined(counted: Sequence[tuple[int, int]], width: int) -> Iterator[Slice]:
    """Yield slices of about so many rows: several of a few, one of many in parts."""
    start, held, end = 0, 0, 0
    for first, rows in counted:
        if held and held + rows > _ROWS_OF_A_SLICE:
            yield Slice(start, end)
            held = 0
        if rows > _ROWS_OF_A_SLICE:
            parts = -(-rows // _ROWS_OF_A_SLICE)
            yield from (Slice(first, first + width, parts, part) for part in range(parts))
            continue
        start, held, end = start if held else first, held + rows, first + width
    if held:
        yield Slice(start, end)
