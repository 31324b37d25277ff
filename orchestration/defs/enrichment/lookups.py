"""Keeps a table of what a look-up says of each distinct value of a column of the landed events.

Distinct values are few: events repeat their user agent and their address. So each is looked up once by each version of
the rules, in Python, and the models join the table. A better database or list has another version: the next run looks
everything up anew, which then counts for all history.
"""

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, fields
from typing import Any

from clickhouse_connect.driver.client import Client

from core.clock import utc_now
from core.enrichment import user_agents
from core.enrichment.geography import Geography, Place
from core.enrichment.user_agents import Agent

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
_GONE = """
select count()
from {enrichment:Identifier}.{table:Identifier} final
where {key:Identifier} not in (select {key:Identifier} from {landing:Identifier}.events)
"""
_FORGET = """
delete from {enrichment:Identifier}.{table:Identifier}
where {key:Identifier} not in (select {key:Identifier} from {landing:Identifier}.events)
"""
_COUNT = "select count() from {enrichment:Identifier}.{table:Identifier} final"


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
    """What a run did: rows of the table now, values looked up, values forgotten with their last event."""

    rows: int
    looked_up: int
    forgotten: int


def user_agent_lookup() -> Lookup:
    """Return the look-up of user agents."""
    return Lookup("user_agents", "user_agent", _names(Agent), user_agents.RULES, user_agents.read)


def address_lookup(geography: Geography) -> Lookup:
    """Return the look-up of addresses in the embedded or a configured database of places."""
    return Lookup("addresses", "ip", _names(Place), geography.version, geography.locate)


def refresh_lookup(client: Client, lookup: Lookup, *, landing: str, enrichment: str) -> Refreshed:
    """Look up every value that is new, or was looked up by other rules, and forget those that no event has any more.

    Each run compares all values, so that it makes good whatever one before it did not finish.
    """
    bound = {
        "landing": landing,
        "enrichment": enrichment,
        "table": lookup.table,
        "key": lookup.key,
        "rules": lookup.rules,
        "batch": _BATCH,
    }
    looked_up = 0
    while values := [row[0] for row in client.query(_WANTED, parameters=bound).result_rows]:
        _write(client, lookup, values, enrichment)
        looked_up += len(values)
    forgotten: int = client.query(_GONE, parameters=bound).result_rows[0][0]
    if forgotten:
        client.command(_FORGET, parameters=bound)
    rows: int = client.query(_COUNT, parameters=bound).result_rows[0][0]
    return Refreshed(rows=rows, looked_up=looked_up, forgotten=forgotten)


def _write(client: Client, lookup: Lookup, values: Sequence[str], enrichment: str) -> None:
    now = utc_now()
    rows = [(value, *astuple(lookup.find(value)), lookup.rules, now) for value in values]
    client.insert(
        lookup.table,
        rows,
        column_names=[lookup.key, *lookup.columns, "rules", "looked_up_at"],
        database=enrichment,
    )


def _names(row: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(row))
