"""A table of modelled events on the engine, filled with histories of the reference."""

import itertools
import json
import os
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from clickhouse_connect.driver.client import Client

from reference.events import Counted

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class EventTable:
    """A table with the columns of fct_events that insights read. Each history has a project of its own.

    person_number is dense in a project: 0, 1, 2 … by first appearance.
    """

    def __init__(self, client: Client, name: str) -> None:
        self.name = name
        self.client = client
        self._projects = itertools.count(1)

    def put(self, events: Iterable[Counted]) -> int:
        """Insert a history and return its project's id."""
        project = next(self._projects)
        events = list(events)
        numbers = {person: number for number, person in enumerate(dict.fromkeys(event.person for event in events))}
        rows = [
            {
                "project_id": project,
                "message_id": event.message_id,
                "type": event.type,
                "event": event.event,
                "person_id": event.person,
                "person_number": numbers[event.person],
                "session_id": event.session,
                "timestamp": json_instant(event.timestamp),
                "received_at": json_instant(event.received_at),
                "sequence": event.sequence,
                "group_type": "account" if event.group else "",
                "group_id": event.group,
                "page_path": event.path,
                "properties": json.dumps(dict(event.properties)),
            }
            for event in events
        ]
        if rows:
            lines = "\n".join(json.dumps(row) for row in rows)
            self.client.raw_insert(self.name, insert_block=lines, fmt="JSONEachRow")
        return project


@contextmanager
def event_table(client: Client) -> Generator[EventTable]:
    """Create an empty table in a database of its own, and drop both in the end."""
    database = f"insights_{os.urandom(6).hex()}"
    client.command(f"create database {database}")
    client.command(
        f"create table {database}.fct_events (project_id UInt32, message_id String, type LowCardinality(String),"
        " event LowCardinality(String), person_id String, person_number UInt32, session_id String,"
        " timestamp DateTime64(3, 'UTC'), received_at DateTime64(3, 'UTC'),"
        " sequence UInt32, group_type LowCardinality(String), group_id String, page_path String, properties String)"
        " engine = MergeTree order by (project_id, event, timestamp)"
    )
    try:
        yield EventTable(client, f"{database}.fct_events")
    finally:
        client.command(f"drop database {database}")


def milliseconds(instant: datetime) -> int:
    """Return an instant as milliseconds since 1970."""
    return (instant - _EPOCH) // timedelta(milliseconds=1)


def json_instant(instant: datetime) -> str:
    """Return a UTC instant as ClickHouse reads a DateTime64 from JSON: as text lest a float rounds it.

    Not in seconds: of those it reads no fewer than five digits, and the first hours of 1970 have fewer.
    """
    return instant.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.") + f"{instant.microsecond // 1000:03}"


def sql_instant(instant: datetime) -> str:
    """Return an instant as a SQL literal."""
    return f"fromUnixTimestamp64Milli({milliseconds(instant)}, 'UTC')"
