"""Refreshes of two small projects, heard on their way to ClickHouse, and what they leave there."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from api.insights.macros import InsightMacros
from engine.dbt_runs import PROJECT, run_dbt
from engine.landing import Landing
from engine.wire import Cut, Listener, overheard
from reference.events import Event, deduplicate

MAIN_MODELS = ("--select", "+fct_sessions", "+dim_persons", "+agg_events_daily")
"""Arguments to dbt that select what keeps account of itself."""
_ID_HASH = InsightMacros(PROJECT / "macros" / "events").render("message_id_hash", message_id="message_id")
_START = datetime(2024, 3, 30, 22, tzinfo=UTC)
_FIRST_RUN = _START + timedelta(days=5)
_SECOND_RUN = _FIRST_RUN + timedelta(hours=1)
_LAYERS = ("staging", "intermediate", "marts")
# What only says which run made a row, and what a run hands on to its own later models.
_OF_THE_RUN = {"loaded_at", "made_at", "seen_at", "run"}
_HANDED_ON = {
    "int_events_arrived",
    "int_events_changed",
    "int_events_resolved",
    "int_events_stale",
    "int_instants_stale",
    "int_keys_changed",
    "int_persons_changed",
    "int_sessions_derived",
    "stg_collector__events_landed",
    "stg_collector__events_unsettled",
    "fct_events_touched",
    "fct_events_unsettled_loads",
}


def _event(message_id: str, minutes: float, **said: object) -> Event:
    fields: dict[str, object] = {"event": "catalog", "received_at": _START + timedelta(days=3, minutes=minutes)} | said
    return Event(message_id=message_id, timestamp=_START + timedelta(minutes=minutes), **fields)  # pyright: ignore[reportArgumentType]


_AT_FIRST = [
    _event("device early", 0, anonymous_id="d1"),
    _event("device", 20, anonymous_id="d1", event="purchase"),
    _event("device later", 200, anonymous_id="d1"),
    _event("shared", 30, anonymous_id="d2", session_id="s1"),
    _event("shared on", 45, anonymous_id="d2", session_id="s1", event="add_to_cart"),
    _event("known", 10, user_id="u1"),
    _event("known next day", 1500, user_id="u1", event="purchase"),
    _event("other", 15, user_id="u2", session_id="s2"),
    _event("other on", 35, user_id="u2", session_id="s2"),
    _event("erased", 40, user_id="u3", session_id="s2"),
    _event("erased alone", 90, user_id="u3"),
    _event("repeated", 60, user_id="u2", sequence=4),
    _event("repeated", 60, user_id="u2", sequence=5, event="purchase"),
]
_THEN = [
    # Late, in the midst of a session; and one that makes a session of the SDK longer than a day.
    _event("late", 10, anonymous_id="d1", event="product_view"),
    _event("late and long", 30 + 1500, anonymous_id="d2", session_id="s1"),
    # A repetition that is dropped, and one that was received earlier and counts.
    _event("known", 10, user_id="u1", sequence=9, event="purchase"),
    _event("known next day", 1400, user_id="u1", received_at=_START),
    # Late merges.
    _event(
        "identify", 5, type="identify", event="$identify", anonymous_id="d1", user_id="u1", traits='{"plan":"paid"}'
    ),
    _event("alias", 50, type="alias", event="$alias", previous_id="u2", user_id="u1"),
    _event("new", 70, anonymous_id="d4"),
    # The erased deliveries of an id leave one that counts again.
    _event("erased alone", 95, user_id="u5", sequence=7),
]


def arrive_at_first(made: Landing) -> None:
    """Let two projects have the same events."""
    for project in (1, 2):
        made.set_project(project, timezone="UTC", session_gap_minutes=30, updated_at=_FIRST_RUN)
        made.deliver(project, _AT_FIRST, inserted_at=_FIRST_RUN)


def arrive_then(made: Landing) -> None:
    """Change one project's settings; in both, let events be late, repeated, merged and erased."""
    made.set_project(2, timezone="Asia/Kathmandu", session_gap_minutes=15, updated_at=_SECOND_RUN)
    for project in (1, 2):
        made.deliver(project, _THEN, inserted_at=_SECOND_RUN)
        made.erase(project, "u3")


def events_that_count() -> list[Event]:
    """Return what counts of each project's events in the end."""
    return deduplicate([*(event for event in _AT_FIRST if event.user_id != "u3"), *_THEN])


@dataclass
class Refreshes:
    """Runs of dbt, in one thread, each of which may be cut off from ClickHouse midway."""

    made: Landing
    saved: dict[str, str] = field(default_factory=dict[str, str])
    """Where each table is kept as it was."""

    def run(self, *arguments: str) -> None:
        """Run dbt to its end."""
        assert not self.cut_off(Cut(), *arguments)

    def cut_off(self, cut: Cut, *arguments: str) -> bool:
        """Run dbt, which fails exactly when it is cut off; say whether it was."""
        trouble = self.heard_by(cut, *arguments)
        assert bool(trouble) == cut.is_cut, trouble
        return cut.is_cut

    def heard_by(self, listener: Listener, *arguments: str, **variables: str) -> str:
        """Run dbt in some environment while somebody listens; returns why it failed, empty when it did not."""
        host, port = (self.made.variables[f"RADIXINSIGHT_DBT_{name}"] for name in ("HOST", "PORT"))
        options = (*arguments, "--fail-fast", "--threads", "1")
        with overheard(host, int(port), listener) as heard:
            told = {"RADIXINSIGHT_DBT_PORT": str(heard)}
            return run_dbt(
                options,
                directory=self.made.directory,
                variables=self.made.variables | variables | told,
                project=self.made.project,
            )

    def tables(self) -> dict[str, str]:
        """Return the engine of every table, by its address; those by which dbt tries out ClickHouse are none."""
        rows = self.made.client.query(
            "select concat(database, '.', name), engine from system.tables"
            " where database in {databases:Array(String)} and not startsWith(name, '__dbt_exchange_test_')",
            parameters={"databases": [self.made.table(layer) for layer in _LAYERS]},
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
            elif name.endswith(("_daily_counted", "_daily_settled")):
                # When events were loaded differs from run to run; what is known of it has to be what staging says.
                staged = self.made.table("staging.stg_collector__events")
                loaded = (
                    "select project_id, toDate(received_at), sum(toUnixTimestamp64Milli(loaded_at))"
                    f" from {staged} group by all"
                )
                known = f"(project_id, received_date, loaded_ms) in ({loaded})"
                found[address] = self._rows(f"select project_id, received_date, events, rules, {known} from {address}")
            elif name.endswith("_ids"):
                # It may know more than there is, and some of it twice.
                staged = self.made.table("staging.stg_collector__events")
                known = f"(project_id, {_ID_HASH}, toDate(received_at)) in {address}"
                found[address] = self._rows(f"select countIf(not {known}) from {staged}")
            elif name not in _HANDED_ON:
                found[address] = self._rows(f"select {self._columns(address)} from {address}")
        return found

    def _columns(self, address: str) -> str:
        columns = self.made.client.query(f"describe table {address}").result_rows
        return ", ".join(_readable(name, kind) for name, kind, *_ in columns if name not in _OF_THE_RUN)

    def _rows(self, sql: str) -> list[str]:
        rows = (tuple(sorted(v) if isinstance(v, list) else v for v in row) for row in self.made.rows(sql))
        return sorted(map(repr, rows))


def _readable(name: str, kind: str) -> str:
    """Return the expression of a column, of a state what it says."""
    if kind.startswith("AggregateFunction(groupBitmap"):
        return f"bitmapToArray({name}) as {name}_set"
    return f"finalizeAggregation({name}) as {name}_said" if kind.startswith("AggregateFunction(") else name
