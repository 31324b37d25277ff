"""The tables of enrichment, filled on the real engine from landed events."""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from clickhouse_connect.driver.client import Client

from core import warehouse
from core.enrichment.geography import Geography, Place
from core.enrichment.user_agents import Agent, read
from orchestration.defs.enrichment.assets import CUSTOM, custom
from orchestration.defs.enrichment.lookups import Refreshed, address_lookup, refresh_lookup, user_agent_lookup
from orchestration.defs.enrichment.processors import Outcome, Share, run_processors
from orchestration.resources import WarehouseResource
from orchestration.settings import OrchestrationSettings
from runtime.instance import Instance

IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Version/17.5 Mobile/15E148 Safari/604.1"
ROBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
LONG_AGO = datetime.now(UTC) - timedelta(days=1)

Install = Callable[[str, str], None]


@dataclass(frozen=True)
class Tables:
    """Landing and enrichment tables of one test."""

    client: Client
    landing: str
    enrichment: str

    def land(self, *rows: dict[str, Any]) -> None:
        """Insert events with the given differences."""
        made = [
            {
                "project_id": 1,
                "message_id": os.urandom(4).hex(),
                "type": "track",
                "event": "paid",
                "timestamp": LONG_AGO,
                "received_at": LONG_AGO,
                "ip": "",
                "user_agent": "",
                "properties": "",
                "inserted_at": LONG_AGO,
            }
            | row
            for row in rows
        ]
        values = [list(row.values()) for row in made]
        self.client.insert("events", values, column_names=list(made[0]), database=self.landing)

    def rows(self, columns: str, table: str) -> list[tuple[Any, ...]]:
        """Read a table of enrichment, sorted."""
        found = self.client.query(f"select {columns} from {self.enrichment}.{table} final order by all").result_rows
        return [tuple(row) for row in found]

    def locate(self, database: str, find: Callable[[str], Place], *, later: timedelta = timedelta(0)) -> Refreshed:
        """Look the addresses up in a database that answers with `find`, now or later."""
        lookup = address_lookup(Geography(database, find))
        return refresh_lookup(
            self.client,
            lookup,
            landing=self.landing,
            enrichment=self.enrichment,
            clock=lambda: datetime.now(UTC) + later,
        )

    def process(self, share: Share | None = None) -> dict[str, Outcome]:
        """Run the installed processors."""
        return run_processors(self.client, landing=self.landing, enrichment=self.enrichment, share=share)


@pytest.fixture
def tables(runtime: Instance) -> Iterator[Tables]:
    """Create empty tables like the migrated ones."""
    prefix = f"enrichment_{os.urandom(4).hex()}_"
    with warehouse.connect(runtime.clickhouse_url) as client:
        made = Tables(client, f"{prefix}raw", f"{prefix}enrichment")
        for database, names in {
            "raw": ["events"],
            "enrichment": ["user_agents", "addresses", "custom", "progress"],
        }.items():
            client.command(f"create database {prefix}{database}")
            for name in names:
                client.command(f"create table {prefix}{database}.{name} as {database}.{name}")
        yield made
        for database in ("raw", "enrichment"):
            client.command(f"drop database {prefix}{database}")


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Return what installs a processor: a module with the given text and an entry point to its `process`."""
    monkeypatch.syspath_prepend(tmp_path)
    installed: list[str] = []

    def install(name: str, source: str) -> None:
        module = f"processor_{name}"
        (tmp_path / f"{module}.py").write_text(source)
        info = tmp_path / f"{module}-1.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1\n")
        (info / "entry_points.txt").write_text(f"[radixinsight.enrichments]\n{name} = {module}:process\n")
        sys.modules.pop(module, None)
        installed.append(module)

    yield install
    for module in installed:
        sys.modules.pop(module, None)


PLAN = """
def process(events):
    return {event["message_id"]: {"plan": event["properties"]["plan"]} for event in events if event["properties"]}

process.version = "1"
"""


def test_a_user_agent_is_read_once_however_many_events_have_it(tables: Tables) -> None:
    tables.land({"user_agent": IPHONE}, {"user_agent": IPHONE}, {"user_agent": ROBOT}, {})
    lookup = user_agent_lookup()
    done = refresh_lookup(tables.client, lookup, landing=tables.landing, enrichment=tables.enrichment)
    assert done == Refreshed(rows=2, looked_up=2, forgotten=0)
    assert tables.rows("browser, os, device_type, is_bot", "user_agents") == [
        ("Googlebot", "", "", True),
        ("Mobile Safari", "iOS", "mobile", False),
    ]
    done = refresh_lookup(tables.client, lookup, landing=tables.landing, enrichment=tables.enrichment)
    assert done == Refreshed(rows=2, looked_up=0, forgotten=0)


def test_newer_rules_read_every_user_agent_anew(tables: Tables) -> None:
    tables.land({"user_agent": IPHONE})
    older = user_agent_lookup()

    def read_better(agent: str) -> Agent:
        return replace(read(agent), browser="Better Safari")

    newer = replace(older, rules="newer", find=read_better)
    for lookup in (older, newer):
        refresh_lookup(tables.client, lookup, landing=tables.landing, enrichment=tables.enrichment)
    assert tables.rows("browser, rules", "user_agents") == [("Better Safari", "newer")]


def test_another_database_looks_every_address_up_anew(tables: Tables) -> None:
    tables.land({"ip": "192.0.2.1"}, {"ip": "192.0.2.2"})
    tables.locate("old", lambda _: Place("DE"))
    done = tables.locate("new", lambda _: Place("DE", "Bavaria", "Munich"))
    assert done.looked_up == 2
    assert tables.rows("ip, country, region, city", "addresses") == [
        ("192.0.2.1", "DE", "Bavaria", "Munich"),
        ("192.0.2.2", "DE", "Bavaria", "Munich"),
    ]


def test_an_address_is_forgotten_with_its_last_event(tables: Tables) -> None:
    tables.land({"ip": "192.0.2.1"}, {"ip": "192.0.2.2", "message_id": "erased"})
    tables.locate("any", lambda _: Place("DE"))
    tables.client.command(f"delete from {tables.landing}.events where message_id = 'erased'")
    assert tables.locate("any", lambda _: Place("DE"), later=timedelta(hours=23)).forgotten == 0
    assert tables.locate("any", lambda _: Place("DE"), later=timedelta(hours=25)).forgotten == 1
    assert tables.rows("ip", "addresses") == [("192.0.2.1",)]


def test_a_new_event_has_its_address_looked_up_in_the_next_run(tables: Tables) -> None:
    tables.land({"ip": "192.0.2.1"})
    tables.locate("any", lambda _: Place("DE"))
    tables.land({"ip": "192.0.2.1", "inserted_at": datetime.now(UTC)})
    tables.land({"ip": "192.0.2.2", "inserted_at": datetime.now(UTC)})
    assert tables.locate("any", lambda _: Place("DE")).looked_up == 1
    assert tables.rows("ip", "addresses") == [("192.0.2.1",), ("192.0.2.2",)]
    assert tables.locate("any", lambda _: Place("DE")).looked_up == 0


def test_all_of_history_is_compared_once_a_day_only(tables: Tables) -> None:
    tables.locate("any", lambda _: Place("DE"))
    # No insert is seen so late; that it is found a day later shows where looks start.
    tables.land({"ip": "192.0.2.1"})
    looked_up = [
        tables.locate("any", lambda _: Place("DE"), later=timedelta(hours=hours)).looked_up for hours in (1, 23, 25)
    ]
    assert looked_up == [0, 0, 1]


def test_the_database_before_counts_for_all_history_when_it_comes_back(tables: Tables) -> None:
    tables.land({"ip": "192.0.2.1"})
    for database, country in (("old", "DE"), ("new", "AT"), ("old", "DE")):
        assert tables.locate(database, lambda _, country=country: Place(country)).looked_up == 1
    assert tables.rows("country, rules", "addresses") == [("DE", "old")]


def test_a_processor_gets_events_with_their_objects_decoded_and_its_results_are_kept(
    tables: Tables, install: Install
) -> None:
    install("plans", PLAN)
    tables.land({"message_id": "a", "properties": '{"plan":"free"}'}, {"message_id": "b"})
    outcome = tables.process()["plans"]
    assert (outcome.version, outcome.events, outcome.results, outcome.failures) == ("1", 2, 1, [])
    assert tables.rows("project_id, message_id, processor, version, properties", "custom") == [
        (1, "a", "plans", "1", '{"plan":"free"}')
    ]


def test_an_event_goes_through_a_processor_once(tables: Tables, install: Install) -> None:
    install("plans", PLAN)
    tables.land({"message_id": "a", "properties": '{"plan":"free"}'})
    tables.process()
    assert tables.process()["plans"].events == 0
    tables.land({"message_id": "b", "properties": '{"plan":"paid"}', "inserted_at": datetime.now(UTC)})
    assert tables.process()["plans"].events == 1
    assert tables.process()["plans"].events == 0


def test_another_version_goes_over_all_history_and_what_it_no_longer_says_is_gone(
    tables: Tables, install: Install
) -> None:
    install("plans", PLAN)
    tables.land(
        {"message_id": "a", "properties": '{"plan":"free"}'}, {"message_id": "b", "properties": '{"plan":"paid"}'}
    )
    tables.process()
    install("plans", 'def process(events):\n    return {"b": {"plan": "PAID"}}\n\nprocess.version = "2"\n')
    assert tables.process()["plans"].events == 2
    assert tables.rows("message_id, version, properties", "custom") == [("b", "2", '{"plan":"PAID"}')]


def test_a_processor_that_raises_is_reported_and_stops_no_other(tables: Tables, install: Install) -> None:
    install("broken", 'def process(events):\n    raise ValueError("no such plan")\n\nprocess.version = "1"\n')
    install("missing", "import of_no_such_module\n")
    install("plans", PLAN)
    tables.land({"message_id": "a", "properties": '{"plan":"free"}'})
    outcomes = tables.process()
    assert "ValueError" in outcomes["broken"].failures[0]
    assert "no such plan" in outcomes["broken"].failures[0]
    assert "ModuleNotFoundError" in outcomes["missing"].failures[0]
    assert outcomes["plans"].results == 1


def test_an_event_with_a_number_that_is_out_of_range_goes_through_a_processor(tables: Tables, install: Install) -> None:
    install(
        "sizes",
        "def process(events):\n"
        "    return {event['message_id']: {'size': str(event['properties'])} for event in events}\n\n"
        "process.version = '1'\n",
    )
    tables.land(
        {"message_id": "huge", "properties": '{"a":1e400}'},
        {"message_id": "half", "properties": '{"a":"\\ud800"}'},
    )
    assert tables.process()["sizes"].failures == []
    assert tables.rows("message_id, properties", "custom") == [
        ("half", "{\"size\":\"{'a': '\\\\ud800'}\"}"),
        ("huge", '{"size":"{\'a\': inf}"}'),
    ]


@pytest.mark.parametrize(
    ("column", "text"),
    [("properties", "[1]"), ("traits", '{"a"'), ("context", '{"a":' + "1" * 5000 + "}")],
    ids=["list", "cut", "long number"],
)
def test_an_event_that_cannot_be_read_is_passed_over_and_counted(
    tables: Tables, install: Install, column: str, text: str
) -> None:
    install("plans", PLAN)
    tables.land({"message_id": "a", "properties": '{"plan":"free"}'})
    tables.land({"message_id": "b", column: text})
    outcome = tables.process()["plans"]
    assert (outcome.events, outcome.results, outcome.unreadable, outcome.failures) == (1, 1, 1, [])


@pytest.mark.parametrize(
    "body",
    [
        "return {1: {'a': 1}, 'x': {'a': 1}}",
        "return {None: {'a': 1}, ('x',): {'a': 1}}",
        "return [1]",
        "return {events[0]['message_id']: {'a': object()}}",
        "return {events[0]['message_id']: 'text'}",
        "raise SystemExit(1)",
        "raise type('Mute', (Exception,), {'__str__': lambda self: 1 / 0})",
    ],
)
def test_whatever_a_processor_does_to_one_project_the_next_one_is_processed(
    tables: Tables, install: Install, body: str
) -> None:
    install(
        "odd",
        "def process(events):\n"
        "    if events[0]['project_id'] == 1:\n"
        f"        {body}\n"
        "    return {event['message_id']: {'a': 1} for event in events}\n\n"
        "process.version = '1'\n",
    )
    tables.land({"message_id": "a", "project_id": 1}, {"message_id": "b", "project_id": 2})
    outcome = tables.process()["odd"]
    assert [failure.partition(":")[0] for failure in outcome.failures] == ["project 1"]
    assert tables.rows("project_id, message_id", "custom") == [(2, "b")]


def test_figures_are_made_whatever_an_event_carries(
    tables: Tables, install: Install, runtime: Instance, settings: OrchestrationSettings
) -> None:
    install("plans", PLAN)
    tables.land({"message_id": "a", "properties": '{"plan":1e400}'}, {"message_id": "b", "properties": "[1]"})
    assert figures_are_made(tables, runtime, settings) == (True, True)


def test_figures_are_made_although_a_processor_has_no_table(
    tables: Tables, install: Install, runtime: Instance, settings: OrchestrationSettings
) -> None:
    install("plans", PLAN)
    tables.client.command(f"drop table {tables.enrichment}.progress")
    assert figures_are_made(tables, runtime, settings) == (True, False)


def figures_are_made(tables: Tables, runtime: Instance, settings: OrchestrationSettings) -> tuple[bool, bool]:
    """Run the real asset and one that waits for it; return whether that was made, and what the check says."""

    @dg.asset(deps=[CUSTOM])
    def figures() -> None:
        pass

    databases = {"landing_database": tables.landing, "enrichment_database": tables.enrichment}
    result = dg.materialize(
        [custom, figures],
        resources={
            "warehouse": WarehouseResource(url=runtime.clickhouse_url),
            "settings": settings.model_copy(update=databases),
        },
        raise_on_error=False,
    )
    made = [event.asset_key for event in result.get_asset_materialization_events()]
    return figures.key in made, all(check.passed for check in result.get_asset_check_evaluations())


def test_a_processor_goes_on_where_it_failed_once_it_is_mended(tables: Tables, install: Install) -> None:
    install("plans", 'def process(events):\n    raise ValueError\n\nprocess.version = "1"\n')
    tables.land({"message_id": "a", "properties": '{"plan":"free"}'})
    tables.process()
    install("plans", PLAN)
    assert tables.process()["plans"].results == 1


def test_a_processor_may_only_speak_of_the_events_it_was_given(tables: Tables, install: Install) -> None:
    install("confused", 'def process(events):\n    return {"other": {"a": 1}}\n\nprocess.version = "1"\n')
    tables.land({"message_id": "a"})
    assert "'other'" in tables.process()["confused"].failures[0]
    assert tables.rows("message_id", "custom") == []


def test_a_batch_holds_events_of_one_project_only(tables: Tables, install: Install) -> None:
    install(
        "projects",
        "def process(events):\n"
        "    seen = sorted({event['project_id'] for event in events})\n"
        "    return {event['message_id']: {'seen': seen} for event in events}\n\n"
        "process.version = '1'\n",
    )
    tables.land({"message_id": "same", "project_id": 1}, {"message_id": "same", "project_id": 2})
    tables.process()
    assert tables.rows("project_id, properties", "custom") == [(1, '{"seen":[1]}'), (2, '{"seen":[2]}')]


def test_a_long_history_is_done_in_shares(tables: Tables, install: Install) -> None:
    install("plans", PLAN)
    for hour in range(6):
        tables.land({"properties": '{"plan":"free"}', "inserted_at": LONG_AGO + timedelta(hours=hour)})
    share = Share(events=2, batch=1)
    assert tables.process(share)["plans"].unfinished
    while tables.process(share)["plans"].unfinished:
        pass
    assert len(tables.rows("message_id", "custom")) == 6


def test_what_is_looked_at_again_uses_up_no_share(tables: Tables, install: Install) -> None:
    """Events that a processor says nothing of are given to it again while they may have company that came late."""
    install("plans", PLAN)
    now = datetime.now(UTC)
    tables.land(*({"inserted_at": now - timedelta(minutes=3)} for _ in range(5)))
    tables.process(Share(events=5, batch=1))
    tables.land({"message_id": "new", "properties": '{"plan":"free"}', "inserted_at": now})
    tables.process(Share(events=3, batch=1))
    assert tables.rows("message_id", "custom") == [("new",)]


def test_a_project_with_much_to_do_does_not_hold_up_the_others(tables: Tables, install: Install) -> None:
    install("plans", PLAN)
    for hour in range(6):
        tables.land({"project_id": 1, "inserted_at": LONG_AGO + timedelta(hours=hour)})
    tables.land({"project_id": 2, "message_id": "b", "properties": '{"plan":"free"}', "inserted_at": datetime.now(UTC)})
    outcome = tables.process(Share(events=3, batch=1))["plans"]
    assert (outcome.events, outcome.unfinished) == (3, True)
    assert tables.rows("project_id, message_id", "custom") == [(2, "b")]


def test_a_minute_that_is_a_whole_share_does_not_hold_up_the_others(tables: Tables, install: Install) -> None:
    install("plans", PLAN)
    tables.land(*({"project_id": 1} for _ in range(5)))
    tables.land({"project_id": 2, "message_id": "b", "properties": '{"plan":"free"}'})
    tables.process(Share(events=2, batch=1))
    assert tables.rows("project_id, message_id", "custom") == [(2, "b")]


def test_what_failed_in_one_project_is_made_good_however_far_the_others_are(tables: Tables, install: Install) -> None:
    install("plans", PLAN)
    tables.land({"message_id": "first", "project_id": 2, "properties": '{"plan":"free"}'})
    tables.process()
    tables.land({"message_id": "bad", "properties": '{"nothing":1}', "inserted_at": datetime.now(UTC)})
    through = tables.rows("processed_until", "progress")[:1]
    assert tables.process()["plans"].failures
    assert tables.rows("processed_until", "progress")[:1] == through
    install("plans", PLAN.replace('["plan"]}', '.get("plan", "none")}'))
    assert tables.process()["plans"].results == 1
    assert tables.process()["plans"].events == 0


def test_a_run_reads_arrivals_from_where_the_last_one_ended(tables: Tables, install: Install) -> None:
    install("plans", PLAN)
    tables.land({"message_id": "a", "properties": '{"plan":"free"}'})
    tables.process()
    # No insert is seen so late; that it is not found shows where the look starts.
    tables.land({"message_id": "b", "project_id": 2, "properties": '{"plan":"free"}'})
    assert tables.process()["plans"].events == 0
