"""Runs the operator's own processors over events: see docs/enrichment.md for what one is.

A processor is found by its entry point, gets batches of the events that it has not seen, one project at a time, and its
results are kept by event. One that raises stops for that project and goes on from there in the next run; the others are
not touched by it, and nothing that happens here stops the figures.
"""

import json
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib.metadata import EntryPoint, entry_points
from typing import Any, cast

import msgspec
from clickhouse_connect.driver.client import Client

from core.clock import utc_now
from core.warehouse import ProjectScope
from orchestration.defs.enrichment.progress import (
    ALL_PROJECTS,
    EPOCH,
    OVERLAP,
    now,
    read_progress,
    write_progress,
)

GROUP = "radixinsight.enrichments"
"""Group of the entry points."""

_MINUTE = timedelta(minutes=1)

_ARRIVALS = """
select project_id, toStartOfMinute(inserted_at) as minute, count() as events
from {landing:Identifier}.events
where inserted_at >= {since:DateTime64(3, 'UTC')}
group by project_id, minute
order by project_id, minute
"""
# What is no event's own (write key, batch) is left out. Of several deliveries of an event the last one is kept, which
# says the same as the first unless the client changed it.
_EVENTS = """
select
    message_id, type, event, anonymous_id, user_id, session_id, group_type, group_id,
    timestamp, received_at, properties, traits, context, ip, user_agent, country, library
from {landing:Identifier}.events
where
    project_id = {project_id:UInt32}
    and inserted_at >= {since:DateTime64(3, 'UTC')} and inserted_at < {until:DateTime64(3, 'UTC')}
    -- What the last run has answered within the overlap; a processor may be slow, or cost money.
    and message_id not in (
        select message_id
        from {enrichment:Identifier}.custom
        where
            project_id = {project_id:UInt32} and processor = {processor:String} and version = {version:String}
            and processed_at >= {answered_since:DateTime64(3, 'UTC')}
    )
"""
_FORGET_OLDER = """
delete from {enrichment:Identifier}.custom
where project_id = {project_id:UInt32} and processor = {processor:String} and version != {version:String}
"""
_OLDER = """
select count()
from {enrichment:Identifier}.custom
where project_id = {project_id:UInt32} and processor = {processor:String} and version != {version:String}
"""
_EVENT_COLUMNS = (
    "message_id", "type", "event", "anonymous_id", "user_id", "session_id", "group_type", "group_id",
    "timestamp", "received_at", "properties", "traits", "context", "ip", "user_agent", "country", "library",
)  # fmt: skip
_JSON_COLUMNS = ("properties", "traits", "context")
_RESULT_COLUMNS = ["project_id", "message_id", "processor", "version", "properties", "processed_at"]

Event = dict[str, Any]
Results = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Processor:
    """A processor that was found: its entry point's name, its version, and what to call."""

    name: str
    version: str
    process: Callable[[Sequence[Event]], Results]


@dataclass(slots=True)
class Outcome:
    """What one processor did in a run."""

    version: str = ""
    events: int = 0
    again: int = 0
    """Of these, those that had been looked at before: they do not use up the run's share."""
    results: int = 0
    unreadable: int = 0
    """Events that it was not given, because what they carry is no JSON object that Python can read."""
    unfinished: bool = False
    """More events wait for the next run, because this one had its share."""
    failures: list[str] = field(default_factory=list[str])
    """What was raised, and where: one line for each project at most."""


@dataclass(frozen=True, slots=True)
class Share:
    """How much a run does: events of one processor in all, and in one call of it.

    Projects take turns of about one call each until the share is used; each of them has one turn at least.
    """

    events: int = 500_000
    batch: int = 10_000


def run_processors(client: Client, *, landing: str, enrichment: str, share: Share | None = None) -> dict[str, Outcome]:
    """Run every installed processor over the events that it has not seen in its version; return by name what it did."""
    outcomes: dict[str, Outcome] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        outcome = outcomes[entry.name] = Outcome()
        try:
            processor = _load(entry)
            outcome.version = processor.version
            _Run(client, landing, enrichment, processor, outcome, share or Share()).over_all_projects()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the operator's own code may fail in any way
            outcome.failures.append(_describe(error))
    return outcomes


def _load(entry: EntryPoint) -> Processor:
    process = entry.load()
    version = getattr(process, "version", None)
    if not callable(process) or not isinstance(version, str) or not version:
        raise TypeError(f"{entry.value} must be callable and have a text as its attribute version")
    return Processor(entry.name, version, cast("Callable[[Sequence[Event]], Results]", process))


@dataclass(slots=True)
class _Backlog:
    """What waits in one project: windows of `inserted_at` of about one batch each."""

    project_id: int
    reached: datetime
    """Nothing before it is left to do, but for what became visible late."""
    answered_since: datetime
    """What was answered from then on is not given again."""
    windows: deque[tuple[datetime, datetime]]
    has_had_a_turn: bool = False


@dataclass(frozen=True, slots=True)
class _Run:
    """One processor in one run."""

    client: Client
    landing: str
    enrichment: str
    processor: Processor
    outcome: Outcome
    share: Share

    @property
    def _bound(self) -> dict[str, str]:
        return {
            "landing": self.landing,
            "enrichment": self.enrichment,
            "processor": self.processor.name,
            "version": self.processor.version,
        }

    def over_all_projects(self) -> None:
        until = now(self.client)
        reached = read_progress(self.client, self.enrichment, self.processor.name, self.processor.version)
        through = reached.pop(ALL_PROJECTS, None)
        turns = deque(sorted(self._backlogs(reached, through, until), key=lambda backlog: backlog.reached))
        left: list[datetime] = []
        while turns:
            backlog = turns.popleft()
            used = self.outcome.events - self.outcome.again
            if backlog.windows and backlog.has_had_a_turn and used >= self.share.events:
                self.outcome.unfinished = True
                left.append(backlog.reached)
                continue
            try:
                self._take_turn(backlog, until, is_first_time=through is None)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - the figures of all projects wait for this one
                self.outcome.failures.append(f"project {backlog.project_id}: {_describe(error)}")
                left.append(backlog.reached)
            else:
                if backlog.windows:
                    turns.append(backlog)
        # Before this version was through once there is no such instant: results of the one before may be left.
        if through is not None or not left:
            self._progress(ALL_PROJECTS, min(left, default=until))

    def _backlogs(self, reached: dict[int, datetime], through: datetime | None, until: datetime) -> Iterator[_Backlog]:
        since = EPOCH if through is None else through - OVERLAP
        arrived: dict[int, list[tuple[datetime, int]]] = {}
        bound = {"landing": self.landing, "since": since}
        for project_id, minute, events in self.client.query(_ARRIVALS, parameters=bound).result_rows:
            arrived.setdefault(project_id, []).append((minute, events))
        for project_id, minutes in arrived.items():
            own = max(reached.get(project_id, EPOCH), through or EPOCH)
            since = EPOCH if own == EPOCH else own - OVERLAP
            windows = deque(self._windows(minutes, since))
            yield _Backlog(project_id, own, until if own == EPOCH else since, windows)

    def _take_turn(self, backlog: _Backlog, until: datetime, *, is_first_time: bool) -> None:
        """Do a window of a project and, after the last one, forget what the version before said."""
        scope = ProjectScope(backlog.project_id)
        backlog.has_had_a_turn = True
        if backlog.windows:
            start, end = backlog.windows[0]
            for events in self._batches(scope, start, end, answered_since=backlog.answered_since):
                self._keep(backlog.project_id, self._process(events))
                self.outcome.events += len(events)
                if end <= backlog.reached:
                    self.outcome.again += len(events)
            # Never back: else what came within the overlap could use up the share of every run.
            backlog.reached = max(backlog.reached, min(end, until))
            self._progress(backlog.project_id, backlog.reached)
            backlog.windows.popleft()
        if is_first_time and not backlog.windows and self._count(scope, _OLDER):
            # What the version before said of an event, and this one does not say, must not stay.
            self.client.command(_FORGET_OLDER, parameters=scope.parameters(**self._bound))

    def _windows(self, minutes: list[tuple[datetime, int]], since: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Yield windows of `inserted_at` with about one batch in each: never half of a minute, however full it is."""
        start, events = None, 0
        for minute, arrived in minutes:
            end = minute + _MINUTE
            if end <= since:
                continue
            start = start or minute
            events += arrived
            if events >= self.share.batch:
                yield start, end
                start, events = None, 0
        if start is not None:
            yield start, minutes[-1][0] + _MINUTE

    def _batches(
        self, scope: ProjectScope, since: datetime, until: datetime, *, answered_since: datetime
    ) -> Iterator[list[Event]]:
        scope.check(_EVENTS)
        parameters = scope.parameters(**self._bound, since=since, until=until, answered_since=answered_since)
        batch: list[Event] = []
        with self.client.query_row_block_stream(_EVENTS, parameters=parameters) as stream:
            for block in stream:
                for row in block:
                    event = _event(scope.project_id, dict(zip(_EVENT_COLUMNS, row, strict=True)))
                    if event is None:
                        self.outcome.unreadable += 1
                        continue
                    batch.append(event)
                    if len(batch) == self.share.batch:
                        yield batch
                        batch = []
        if batch:
            yield batch

    def _process(self, events: list[Event]) -> dict[str, str]:
        ids = {event["message_id"] for event in events}
        results = self.processor.process(events) or {}
        said = {message_id: msgspec.json.encode(dict(found)).decode() for message_id, found in results.items() if found}
        for message_id in said:
            if message_id not in ids:
                raise ValueError(f"it returned a message id that it was not given: {message_id!r}")
        return said

    def _keep(self, project_id: int, said: dict[str, str]) -> None:
        if not said:
            return
        processed_at, own = utc_now(), self.processor
        rows = [
            (project_id, message_id, own.name, own.version, found, processed_at) for message_id, found in said.items()
        ]
        self.client.insert("custom", rows, column_names=_RESULT_COLUMNS, database=self.enrichment)
        self.outcome.results += len(rows)

    def _progress(self, project_id: int, until: datetime) -> None:
        own = self.processor
        write_progress(self.client, self.enrichment, own.name, own.version, until, project_id=project_id)

    def _count(self, scope: ProjectScope, sql: str) -> int:
        count: int = scope.run(self.client, sql, dict(self._bound)).result_rows[0][0]
        return count


def _event(project_id: int, row: Event) -> Event | None:
    """Return a row as processors get it, or None where a column that holds an object holds none that can be read."""
    for column in _JSON_COLUMNS:
        try:
            row[column] = _read(row[column]) if row[column] else {}
        except (ValueError, RecursionError):
            return None
        if not isinstance(row[column], dict):
            return None
    return {"project_id": project_id, **row}


def _read(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        # It knows no number beyond 64-bit floating point, and no half of a surrogate pair; both are JSON.
        return json.loads(text)


def _describe(error: BaseException) -> str:
    """Return what was raised and in which line; the whole traceback holds values of events."""
    at = traceback.extract_tb(error.__traceback__)[-1]
    try:
        said = str(error)[:200]
    except Exception:  # noqa: BLE001 - the operator's own class
        said = "(its text cannot be made)"
    return f"{type(error).__name__} at {at.filename}:{at.lineno}: {said}"
