"""A refresh that dies between any two of its statements: the next one makes what a full refresh would."""

import itertools
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from clickhouse_connect.driver.client import Client
from dbt.cli.main import dbtRunner
from hypothesis import settings

from engine.landing import MODELS, Landing, landing
from engine.wire import Cut, overheard
from reference.events import Event
from runtime.instance import Instance

pytestmark = pytest.mark.slow

START = datetime(2024, 3, 30, 22, tzinfo=UTC)
FIRST_RUN = START + timedelta(days=5)
SECOND_RUN = FIRST_RUN + timedelta(hours=1)
MAIN_MODELS = ("--select", "+fct_sessions", "+dim_persons", "+agg_events_daily")
# At least so many changes the second run of these models makes.
FEWEST_CHANGES = 100
LAYERS = ("staging", "intermediate", "marts")
# What only says which run made a row, and what a run hands on to its own later models.
OF_THE_RUN = {"loaded_at", "made_at", "seen_at", "run"}
HANDED_ON = {
    "int_events_arrived",
    "int_events_changed",
    "int_events_resolved",
    "int_events_stale",
    "int_keys_changed",
    "int_persons_changed",
    "int_sessions_derived",
    "stg_collector__events_landed",
    "stg_collector__events_unsettled",
    "fct_events_touched",
}


def event(message_id: str, minutes: float, **said: object) -> Event:
    fields: dict[str, object] = {"event": "catalog", "received_at": START + timedelta(days=3, minutes=minutes)} | said
    return Event(message_id=message_id, timestamp=START + timedelta(minutes=minutes), **fields)  # pyright: ignore[reportArgumentType]


AT_FIRST = [
    event("device early", 0, anonymous_id="d1"),
    event("device", 20, anonymous_id="d1", event="purchase"),
    event("device later", 200, anonymous_id="d1"),
    event("shared", 30, anonymous_id="d2", session_id="s1"),
    event("shared on", 45, anonymous_id="d2", session_id="s1", event="add_to_cart"),
    event("known", 10, user_id="u1"),
    event("known next day", 1500, user_id="u1", event="purchase"),
    event("other", 15, user_id="u2", session_id="s2"),
    event("other on", 35, user_id="u2", session_id="s2"),
    event("erased", 40, user_id="u3", session_id="s2"),
    event("erased alone", 90, user_id="u3"),
    event("repeated", 60, user_id="u2", sequence=4),
    event("repeated", 60, user_id="u2", sequence=5, event="purchase"),
]
THEN = [
    # Late, in the midst of a session; and one that makes a session of the SDK longer than a day.
    event("late", 10, anonymous_id="d1", event="product_view"),
    event("late and long", 30 + 1500, anonymous_id="d2", session_id="s1"),
    # A repetition that is dropped, and one that was received earlier and counts.
    event("known", 10, user_id="u1", sequence=9, event="purchase"),
    event("known next day", 1400, user_id="u1", received_at=START),
    # Late merges.
    event("identify", 5, type="identify", event="$identify", anonymous_id="d1", user_id="u1", traits='{"plan":"paid"}'),
    event("alias", 50, type="alias", event="$alias", previous_id="u2", user_id="u1"),
    event("new", 70, anonymous_id="d4"),
    # The erased deliveries of an id leave one that counts again.
    event("erased alone", 95, user_id="u5", sequence=7),
]


def arrive_at_first(made: Landing) -> None:
    """Let two projects have the same events."""
    for project in (1, 2):
        made.set_project(project, timezone="UTC", session_gap_minutes=30, updated_at=FIRST_RUN)
        made.deliver(project, AT_FIRST, inserted_at=FIRST_RUN)


def arrive_then(made: Landing) -> None:
    """Change one project's settings; in both, let events be late, repeated, merged and erased."""
    made.set_project(2, timezone="Asia/Kathmandu", session_gap_minutes=15, updated_at=SECOND_RUN)
    for project in (1, 2):
        made.deliver(project, THEN, inserted_at=SECOND_RUN)
        made.erase(project, "u3")


@dataclass
class Refreshes:
    """Runs of dbt in this process, in one thread, each of which may be cut off from ClickHouse midway."""

    made: Landing
    saved: dict[str, str] = field(default_factory=dict[str, str])
    """Where each table is kept as it was."""

    def run(self, *arguments: str, cut: Cut | None = None) -> Cut:
        """Run dbt; it fails exactly when it is cut off."""
        cut = cut or Cut()
        host, port = (self.made.variables[f"RADIXINSIGHT_DBT_{name}"] for name in ("HOST", "PORT"))
        directories = {"project": self.made.project, "profiles": self.made.project}
        where = [part for name, path in directories.items() for part in (f"--{name}-dir", str(path))]
        where += ["--target-path", str(self.made.directory / "target"), "--threads", "1"]
        quiet = ["--quiet", "--fail-fast", "--log-level", "none", "--log-level-file", "none"]
        with overheard(host, int(port), cut) as heard, pytest.MonkeyPatch.context() as patch:
            for name, value in (self.made.variables | {"RADIXINSIGHT_DBT_PORT": str(heard)}).items():
                patch.setenv(name, value)
            done = dbtRunner().invoke([*quiet, *arguments, *where])
        assert done.success == (not cut.is_cut), (done.exception, cut.seen[-1:], done.result)
        return cut

    def tables(self) -> dict[str, str]:
        """Return the engine of every table, by its address."""
        rows = self.made.client.query(
            "select concat(database, '.', name), engine from system.tables where database in {databases:Array(String)}",
            parameters={"databases": [self.made.table(layer) for layer in LAYERS]},
        ).result_rows
        return {str(address): str(engine) for address, engine in rows}

    def keep(self) -> None:
        """Keep all tables as they are now."""
        for number, (address, engine) in enumerate(self.tables().items()):
            if engine != "View":
                self.saved[address] = self.made.table(f"kept.kept_{number}")
                self.made.client.command(f"create table {self.saved[address]} clone as {address}")

    def set_back(self) -> None:
        """Make all tables what they were."""
        for address, engine in self.tables().items():
            if engine != "View" or not self.saved:
                self.made.client.command(f"drop {'view' if engine == 'View' else 'table'} {address}")
        for address, kept in self.saved.items():
            self.made.client.command(f"create table {address} clone as {kept}")

    def contents(self) -> dict[str, list[str]]:
        """Return the rows of every table that outlives a run, and of a log how far behind it its readers are."""
        found: dict[str, list[str]] = {}
        touched = self.made.table("marts.fct_events_touched")
        for address in self.tables():
            name = address.split(".")[1]
            if name.endswith("_repaired"):
                found[address] = self._rows(f"select run = (select max(run) from {touched}), rules from {address}")
            elif name.endswith("_settled_loads"):
                found[address] = self._rows(f"select sum(staged), sum(held) from {address}")
            elif name not in HANDED_ON:
                found[address] = self._rows(f"select {self._columns(address)} from {address}")
            else:
                found[address] = []
        return found

    def _columns(self, address: str) -> str:
        columns = self.made.client.query(f"describe table {address}").result_rows
        return ", ".join(
            f"bitmapToArray({name}) as {name}_set" if kind.startswith("AggregateFunction(groupBitmap") else name
            for name, kind, *_ in columns
            if name not in OF_THE_RUN
        )

    def _rows(self, sql: str) -> list[str]:
        rows = (tuple(sorted(v) if isinstance(v, list) else v for v in row) for row in self.made.rows(sql))
        return sorted(map(repr, rows))


@pytest.fixture
def refreshes(runtime: Instance, client: Client) -> Iterator[Refreshes]:
    """Make a landing of two projects, with a place to keep tables in."""
    with landing(runtime, client) as made:
        arrive_at_first(made)
        client.command(f"create database {made.table('kept')}")
        try:
            yield Refreshes(made)
        finally:
            client.command(f"drop database {made.table('kept')}")


def test_after_runs_that_died_the_next_one_makes_what_a_full_refresh_makes(refreshes: Refreshes) -> None:
    refreshes.run(*MODELS, *MAIN_MODELS)
    arrive_then(refreshes.made)
    anywhere = refreshes.run("run", *MAIN_MODELS, cut=Cut(after=1 + secrets.randbelow(FEWEST_CHANGES)))
    # Here the events are those of this run, and nothing that is made of them is yet.
    refreshes.run("run", *MAIN_MODELS, cut=Cut(at="`fct_events__dbt_backup` AND"))
    refreshes.run("run", *MAIN_MODELS)
    found = refreshes.contents()
    refreshes.run("run", *MAIN_MODELS, "--full-refresh")
    assert found == refreshes.contents(), f"died after {len(anywhere.seen)} changes: {anywhere.seen[-1]}"


@pytest.mark.skipif(settings.get_current_profile_name() != "nightly", reason="takes an hour")
@pytest.mark.parametrize("died", [MODELS, ("run",), ("run", "--full-refresh")], ids=["first", "next", "full"])
def test_wherever_a_run_dies_the_next_one_makes_what_a_full_refresh_makes(
    refreshes: Refreshes, died: tuple[str, ...]
) -> None:
    if died != MODELS:
        refreshes.run(*MODELS)
        refreshes.keep()
        arrive_then(refreshes.made)
    completed = MODELS if died == MODELS else ("run",)
    refreshes.run(*completed)
    refreshes.run("run", "--full-refresh")
    wanted = refreshes.contents()
    differing: dict[int, str] = {}
    for changes in itertools.count(1):
        refreshes.set_back()
        cut = refreshes.run(*died, cut=Cut(after=changes))
        if not cut.is_cut:
            break
        refreshes.run(*completed)
        if refreshes.contents() != wanted:
            differing[changes] = cut.seen[-1]
    assert not differing
