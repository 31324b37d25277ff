"""Keeps a table of what a look-up says of each distinct value of a column of the landed events.

Distinct values are few: events repeat their user agent and their address. So each is looked up once by each version of
the rules, in Python, and the models join the table. A better database or list has another version: the next run looks
everything up anew, which then counts for all history.

A run looks at the events that came since the last one. Once a day, and when the rules changed, it compares all events,
which also forgets what none of them has any more and makes good whatever was missed.
"""

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from clickhouse_connect.driver.client import Client

from core.clock import utc_now
from core.enrichment import user_agents
from core.enrichment.geography import Geography, Place
from core.enrichment.user_agents import Agent
from orchestration.defs.enrichment.progress import (
    ALL_PROJECTS,
    EPOCH,
    OVERLAP,
    now,
    read_progress,
    write_progress,
)

# 50,000 values take 8 to 20 MB here and make one part of the table.
_BATCH = 50_000
# final: a value that was looked up again has two rows until its parts are merged.
_WANTED = """
select distinct {key:Identifier} as value
from {landing:Identifier}.events
where value != '' and value not in (
    select {key:Identifier} from {enrichment:Identifier}.{table:Identifier} final where rules = {rules:String}
)
limit {batch:UInt32}
"""
# The values go into the inner query too, so that by its key it reads only where they would be.
_WANTED_OF_NEW = """
with arrived as (
    select distinct {key:Identifier} as value
    from {landing:Identifier}.events
    where inserted_at >= {since:DateTime64(3, 'UTC')} and value != ''
)
select value
from arrived
where value not in (
    select {key:Identifier}
    from {enrichment:Identifier}.{table:Identifier} final
    where {key:Identifier} in (select value from arrived) and rules = {rules:String}
)
limit {batch:UInt32}
"""
_GONE = """
select count()
from {enrichment:Identifier}.{table:Identifier} final
where {key:Identifier} not in (select {key:Identifier} from {landing:Identifier}.events)
"""
_FORGET = """
delete from {enrichment:Identifier}.{table:Identifier}
where {key:Identifier} not in (select {key:Identifier} from {landing:Identifier}.events)
"""
_COUNT = "select count() from {enrichment:Identifier}.{table:Identifier}"
_FULL_EVERY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Lookup:
    """What is looked up: the column of `events`, which is the table's key too, and what a value of it says.

    `find` is called with the value as it is stored and returns a dataclass whose fields are columns of the table.
    """

    table: str
    key: str
    columns: tuple[str, ...]
    rules: str
    find: Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a run did: rows of the table now, values looked up, values forgotten with their last event.

    A value that was looked up again counts as two rows until ClickHouse has merged them.
    """

    rows: int
    looked_up: int
    forgotten: int


def user_agent_lookup() -> Lookup:
    """Return the look-up of user agents."""
    return Lookup("user_agents", "user_agent", _names(Agent), user_agents.RULES, user_agents.read)


def address_lookup(geography: Geography) -> Lookup:
    """Return the look-up of addresses in the embedded or a configured database of places."""
    return Lookup("addresses", "ip", _names(Place), geography.version, geography.locate)


def refresh_lookup(
    client: Client,
    lookup: Lookup,
    *,
    landing: str,
    enrichment: str,
    clock: Callable[[], datetime] | None = None,
) -> Refreshed:
    """Look up every value that is new, or was looked up by other rules; once a day forget those that no event has.

    `clock` stands in for ClickHouse's.
    """
    # No entry point's name begins with a bracket: these are no processor's.
    of_new, of_all = f"[{lookup.table}]", f"[{lookup.table}] of all events"
    until = clock() if clock else now(client)
    through = read_progress(client, enrichment, of_new, lookup.rules).get(ALL_PROJECTS)
    compared_at = read_progress(client, enrichment, of_all, lookup.rules).get(ALL_PROJECTS)
    is_full = through is None or compared_at is None or until - compared_at >= _FULL_EVERY
    bound = {
        "landing": landing,
        "enrichment": enrichment,
        "table": lookup.table,
        "key": lookup.key,
        "rules": lookup.rules,
        "batch": _BATCH,
        "since": EPOCH if through is None else through - OVERLAP,
    }
    looked_up = forgotten = 0
    wanted = _WANTED if is_full else _WANTED_OF_NEW
    while values := [row[0] for row in client.query(wanted, parameters=bound).result_rows]:
        _write(client, lookup, values, enrichment)
        looked_up += len(values)
    if is_full:
        forgotten = client.query(_GONE, parameters=bound).result_rows[0][0]
        if forgotten:
            client.command(_FORGET, parameters=bound)
        write_progress(client, enrichment, of_all, lookup.rules, until)
    write_progress(client, enrichment, of_new, lookup.rules, until)
    rows: int = client.query(_COUNT, parameters=bound).result_rows[0][0]
    return Refreshed(rows=rows, looked_up=looked_up, forgotten=forgotten)


def _write(client: Client, lookup: Lookup, values: Sequence[str], enrichment: str) -> None:
    looked_up_at = utc_now()
    rows = [(value, *astuple(lookup.find(value)), lookup.rules, looked_up_at) for value in values]
    client.insert(
        lookup.table,
        rows,
        column_names=[lookup.key, *lookup.columns, "rules", "looked_up_at"],
        database=enrichment,
    )


def _names(row: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(row))
