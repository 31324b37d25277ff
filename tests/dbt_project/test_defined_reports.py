"""Marts of the last so many buckets, built by dbt over projects in several calendars and asked for as the API asks."""

import dataclasses
import json
import random
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from clickhouse_connect.driver.client import Client

from api.insights.defined import DefinedInsights
from core.insights.files import scan_definitions
from core.insights.mart_models import model_of
from core.insights.marts import DEFINITIONS, write_marts
from engine.dbt_runs import copy_project
from engine.event_table import json_instant
from engine.landing import MODELS, Landing, landing
from reference import paths, revenue, web
from reference.calendar_buckets import bucket, bucket_start, following
from reference.events import Counted
from reference.lifecycle import lifecycle
from reference.stickiness import stickiness
from runtime.instance import Instance

pytestmark = pytest.mark.slow

DEFINED = {
    "lifecycle_any": "kind: lifecycle\ndescription: d\nprojects: [1, 2, 3]\ninterval: week\nlast: 6\n",
    "lifecycle_pro": """
        kind: lifecycle
        description: Who looks at the pro plan.
        events: {event: [view, look], where: [{property: plan, value: pro}]}
        interval: hour
        last: 60
    """,
    "stickiness_bought": "kind: stickiness\ndescription: d\nevents: buy\nlast: 20\n",
    "stickiness_mobile": """
        kind: stickiness
        description: Who comes with a telephone.
        events: {where: [{column: device_type, value: mobile}]}
        interval: month
        last: 2
    """,
    "paths_events": """
        kind: paths
        description: From event to event within sessions.
        projects: [1, 2, 3]
        exclude: [look, {event: view, where: [{property: plan, value: pro}]}]
        end_point: buy
        max_steps: 4
        last: 25
    """,
    "paths_pages": """
        kind: paths
        description: From page to page within three hours.
        nodes: page_path
        events: {where: [{column: device_type, operator: is_set}]}
        groups: [/product/*]
        window: 3h
        start_point: /product/*
        min_sequences: 2
        interval: week
        last: 4
    """,
    "web_daily": "kind: web\ndescription: d\nprojects: [1, 2, 3]\nlast: 12\n",
    "web_devices": """
        kind: web
        description: d
        breakdown: [device_type]
        top: 1
        interval: week
        last: 4
        total: true
    """,
    "web_entries": """
        kind: web
        description: Where sessions with a telephone begin and end.
        projects: [1, 2, 3]
        breakdown: [entry_path, exit_path]
        top: 3
        where: [{any: [{column: device_type, value: mobile}, {trait: plan, operator: is_set}]}]
        interval: week
        last: 5
    """,
    "web_pages": "kind: web\ndescription: d\nbreakdown: [page_path]\ntop: 2\ninterval: month\nlast: 2\n",
    "revenue_daily": """
        kind: revenue
        description: What purchases and gifts bring.
        projects: [1, 2, 3]
        orders: {event: [buy, gift]}
        last: 15
    """,
    "revenue_paid": """
        kind: revenue
        description: What was paid with a telephone, by plan.
        orders: {event: buy, where: [{property: plan, operator: is_set}]}
        amount: {property: [cart, paid]}
        currency: {property: unit}
        default_currency: CHF
        where: [{column: device_type, value: mobile}, {none: [{trait: plan, value: pro}]}]
        breakdown: [{property: plan}]
        top: 1
        interval: month
        last: 2
        total: true
    """,
    "revenue_euros": """
        kind: revenue
        description: What any event brings in euros, by the person's plan, which nobody has.
        orders: {}
        in_currency: EUR
        breakdown: [{trait: plan}]
        interval: week
        last: 5
    """,
}

OTHER = 4
"""A project that definitions which say their projects do not name."""


@dataclass(frozen=True)
class Project:
    """A project with its calendar and what happened in it."""

    id: int
    zone: ZoneInfo
    week_start: int
    events: Sequence[Counted]


@dataclass(frozen=True)
class Marts:
    """The marts, the projects, and an instant of the quarter of an hour in which they were built."""

    landed: Landing
    built_at: datetime
    projects: Sequence[Project]

    def rows(self, name: str, project: Project) -> list[dict[str, Any]]:
        """Return the rows of a mart as the API reads them."""
        defined = DefinedInsights(self.landed.project / DEFINITIONS, self.landed.table("marts"))
        statement = defined.rows(defined.find(project.id, name), limit=100_000)
        found = self.landed.client.query(statement.sql, parameters=statement.parameters | {"project_id": project.id})
        return list(found.named_results())

    def calendar(self, project: Project, interval: str, last: int, *, total: bool) -> dict[str, Any]:
        """Return the range of the last so many buckets, as the references take it."""
        present = bucket(self.built_at, interval, project.zone, project.week_start)
        return {
            "start": bucket_start(following(present, interval, 1 - last), project.zone),
            "end": bucket_start(following(present, interval, 1), project.zone),
            "interval": "total" if total else interval,
            "zone": project.zone,
            "week_start": project.week_start,
        }

    def each(
        self, name: str, interval: str, last: int, *, total: bool = False
    ) -> Generator[tuple[list[dict[str, Any]], Project, dict[str, Any]]]:
        """Yield the rows of each project with its range."""
        for project in self.projects:
            found = self.rows(name, project)
            assert found, f"{name} has no rows of project {project.id}"
            yield found, project, self.calendar(project, interval, last, total=total)


def history(seed: int, until: datetime) -> list[Counted]:
    """Return sessions of the last weeks, on quarters of an hour: many begin with a day, some reach over midnight."""
    chance = random.Random(seed)  # noqa: S311 - made-up events
    quarter = timedelta(minutes=15)
    last = until.replace(minute=until.minute // 15 * 15, second=0, microsecond=0)
    made: list[Counted] = []
    for session in range(90):
        person, device = chance.choice("abcdefghi"), chance.choice(["mobile", "mobile", "desktop", ""])
        at = last - chance.choice([1, 1, 7]) * chance.randrange(700) * quarter
        for _ in range(chance.choice([1, 1, 2, 5, 7])):
            kind = chance.choice(["page", "page", "track"])
            path = chance.choice(["/", "/pricing", "/product/1", "/product/2", ""]) if kind == "page" else ""
            said = {
                "plan": chance.choice(["pro", "free", ""]),
                "revenue": chance.choice([0.1, 19.99, "7.50", -5, 0, "many"]),
                "currency": chance.choice(["EUR", "eur", "USD", ""]),
                "paid": chance.choice(["1.005", 12, 0.0000005, "", "-3"]),
                "unit": chance.choice(["usd", " EUR ", "order 17", ""]),
                "channel": device,
            }
            made.append(
                Counted(
                    message_id=f"m{len(made)}",
                    event="view" if kind == "page" else chance.choice(["buy", "buy", "gift", "look"]),
                    person=person,
                    session=f"s{session}",
                    timestamp=at,
                    received_at=last,
                    sequence=len(made),
                    type=kind,
                    path=path,
                    properties=said,
                )
            )
            at = min(last, at + chance.choice([0, 1, 1, 4]) * quarter)
    return made


def landed_row(project: int, event: Counted) -> dict[str, object]:
    """Return an event as the landing table holds it."""
    said = {name: value for name, value in event.properties.items() if name not in {"channel", "paid"}}
    said |= {"cart": {"paid": event.properties["paid"]}} | ({"path": event.path} if event.path else {})
    return {
        "project_id": project,
        "message_id": event.message_id,
        "type": event.type,
        "event": event.event,
        "user_id": event.person,
        "session_id": event.session,
        "timestamp": json_instant(event.timestamp),
        "received_at": json_instant(event.received_at),
        "inserted_at": json_instant(event.received_at),
        "sequence": event.sequence,
        "properties": json.dumps(said),
        "context": json.dumps({"device": {"type": event.properties["channel"]}}),
    }


@pytest.fixture(scope="module")
def marts(runtime: Instance, client: Client, tmp_path_factory: pytest.TempPathFactory) -> Generator[Marts]:
    """Build the marts, and what they are made of."""
    root = tmp_path_factory.mktemp("reports")
    copy_project(root / "project")
    for name, text in DEFINED.items():
        (root / "project" / DEFINITIONS / f"{name}.yml").write_text(text)
    assert write_marts(root / "project")[1] == []
    calendars = [(1, "UTC", 1), (2, "America/New_York", 7), (3, "Asia/Kathmandu", 1)]
    with landing(runtime, client) as given:
        landed = dataclasses.replace(given, project=root / "project", directory=root)
        until = datetime.now(UTC)
        projects = [
            Project(number, ZoneInfo(zone), week_start, history(number, until))
            for number, zone, week_start in calendars
        ]
        for project in projects:
            landed.set_project(project.id, timezone=project.zone.key, week_start=project.week_start)
            landed.land(*(landed_row(project.id, event) for event in project.events))
        landed.land(*(landed_row(OTHER, event) for event in projects[0].events))
        landed.dbt(*MODELS, "--select", *(f"+{name}" for name in DEFINED))
        # Buckets begin on a quarter of an hour in every zone.
        while _quarter(until) != _quarter(datetime.now(UTC)):
            until = datetime.now(UTC)
            landed.dbt("run", "--select", *DEFINED)
        yield Marts(landed, until, projects)


def _quarter(instant: datetime) -> int:
    return int(instant.timestamp()) // 900


def test_every_mart_has_the_columns_that_it_describes(marts: Marts) -> None:
    found, _ = scan_definitions(marts.landed.project / DEFINITIONS)
    for insight in found:
        if insight.name in DEFINED:
            sql = f"select name, type from system.columns where database = '{marts.landed.table('marts')}'"
            there = marts.landed.rows(f"{sql} and table = '{insight.name}' order by position")
            assert there == [(name, kind) for name, kind, _ in model_of(insight.definition)[2]]


def test_a_definition_of_some_projects_counts_no_others(marts: Marts) -> None:
    for name, text in DEFINED.items():
        found = marts.landed.rows(f"select distinct project_id from {{marts}}.{name} order by 1")
        assert found == [(1,), (2,), (3,), *([] if "projects:" in text else [(OTHER,)])]


def test_every_data_test_of_the_marts_holds(marts: Marts) -> None:
    marts.landed.dbt("test", "--select", *DEFINED, "--exclude-resource-type", "unit_test")


def any_event(_: Counted) -> bool:
    return True


def of_the_pro_plan(event: Counted) -> bool:
    return event.event in {"view", "look"} and event.properties["plan"] == "pro"


def is_purchase(event: Counted) -> bool:
    return event.event == "buy"


def is_mobile(event: Counted) -> bool:
    return event.properties["channel"] == "mobile"


@pytest.mark.parametrize(
    ("name", "interval", "last", "chosen"),
    [("lifecycle_any", "week", 6, any_event), ("lifecycle_pro", "hour", 60, of_the_pro_plan)],
)
def test_a_lifecycle_is_that_of_the_reference(
    marts: Marts, name: str, interval: str, last: int, chosen: Callable[[Counted], bool]
) -> None:
    statuses = ("new", "returning", "resurrecting", "dormant", "active")
    for found, project, calendar in marts.each(name, interval, last):
        wanted = [
            (each.at, bucket_date(each.at, project), *(len(getattr(each, status)) for status in statuses))
            for each in lifecycle(filter(chosen, project.events), event=None, **calendar)
            if each.active or each.dormant
        ]
        assert [
            (
                *(row["bucket_at"], row["bucket_date"]),
                *((-1 if status == "dormant" else 1) * row[f"{status}_persons"] for status in statuses),
            )
            for row in found
        ] == wanted
        assert [row["is_complete"] for row in found] == [
            bucket(marts.built_at, interval, project.zone, project.week_start)
            != bucket(row["bucket_at"], interval, project.zone, project.week_start)
            for row in found
        ]


@pytest.mark.parametrize(
    ("name", "interval", "last", "chosen"),
    [("stickiness_bought", "day", 20, is_purchase), ("stickiness_mobile", "month", 2, is_mobile)],
)
def test_a_stickiness_is_that_of_the_reference(
    marts: Marts, name: str, interval: str, last: int, chosen: Callable[[Counted], bool]
) -> None:
    for found, project, calendar in marts.each(name, interval, last):
        persons = [len(each) for each in stickiness(filter(chosen, project.events), event=None, **calendar)]
        most = max(count for count, here in enumerate(persons, start=1) if here)
        assert [(row["buckets"], row["persons"], row["persons_at_least"]) for row in found] == [
            (count, persons[count - 1], sum(persons[count - 1 :])) for count in range(1, most + 1)
        ]


def walked(found: list[dict[str, Any]]) -> set[paths.Row]:
    """Return the rows of a mart of paths as the reference has them."""
    for row in found:
        assert row["node"] == f"{row['position']} {row['name']}"
        assert row["next_node"] == (f"{row['position'] + 1} {row['next_name']}" if row["next_name"] else "")
    return {
        paths.Row(
            row["position"], row["name"], row["next_name"] or None, row["sequences"], row["avg_ms"], row["drop_offs"]
        )
        for row in found
    }


def test_paths_of_events_are_those_of_the_reference(marts: Marts) -> None:
    def excludes(event: Counted) -> bool:
        return event.event == "look" or (event.event == "view" and event.properties["plan"] == "pro")

    for found, project, calendar in marts.each("paths_events", "day", 25):
        asked = paths.Question(
            name=lambda event: event.event,
            start=calendar["start"],
            end=calendar["end"],
            excludes=excludes,
            end_point="buy",
            max_steps=4,
        )
        assert walked(found) == paths.paths(project.events, asked)


def test_paths_of_pages_are_those_of_the_reference(marts: Marts) -> None:
    for found, project, calendar in marts.each("paths_pages", "week", 4):
        asked = paths.Question(
            name=lambda event: paths.grouped(event.path, ["/product/*"]),
            start=calendar["start"],
            end=calendar["end"],
            window=timedelta(hours=3),
            start_point="/product/*",
            min_sequences=2,
        )
        views = [event for event in project.events if event.type == "page" and event.properties["channel"]]
        assert walked(found) == paths.paths(views, asked)


OF_SESSIONS = ("visitors", "sessions", "views", "bounces", "bounce_rate", "avg_duration_ms", "views_per_session")
OF_PAGES = ("visitors", "views", "sessions")


def reported(found: list[dict[str, Any]], figures: Sequence[str]) -> list[Any]:
    """Return the rows of a mart of web analytics as the reference has them."""
    return [
        (
            *(row.get("rank", 1), row.get("is_other", False)),
            " ".join(row[name] for name in ("breakdown_1", "breakdown_2") if name in row),
            row["bucket_at"],
            tuple(row[name] for name in figures),
        )
        for row in found
    ]


def near(rows: Sequence[Any]) -> list[Any]:
    return [
        (*place, tuple(None if each is None else pytest.approx(each) for each in figures)) for *place, figures in rows
    ]


def by_device(visit: web.Visit) -> str:
    return visit.channel


def test_web_analytics_are_those_of_the_reference(marts: Marts) -> None:
    for found, project, calendar in marts.each("web_daily", "day", 12):
        assert reported(found, OF_SESSIONS) == near(web.web(project.events, web.Question(**calendar), None))
        assert [row["bucket_date"] for row in found] == [bucket_date(row["bucket_at"], project) for row in found]
    for found, project, calendar in marts.each("web_devices", "week", 4, total=True):
        wanted = web.web(project.events, web.Question(**calendar, top=1), by_device)
        assert reported(found, OF_SESSIONS) == near(wanted)


def test_sessions_are_chosen_and_told_apart_by_two_values(marts: Marts) -> None:
    for found, project, calendar in marts.each("web_entries", "week", 5):
        chosen = filter(is_mobile, project.events)
        # As one text they have the order of the two: of equal ones a missing value comes last.
        rows = web.web(
            chosen, web.Question(**calendar, top=3), lambda visit: f"{visit.entry_path or '~'} {visit.exit_path or '~'}"
        )
        wanted = [
            (rank, is_other, "(other) (other)" if is_other else value.replace("~", "(none)"), *rest)
            for rank, is_other, value, *rest in rows
        ]
        assert reported(found, OF_SESSIONS) == near(wanted)


def test_pages_are_those_of_the_reference(marts: Marts) -> None:
    for found, project, calendar in marts.each("web_pages", "month", 2):
        wanted = web.pages(project.events, web.Question(**calendar, top=2), lambda event: event.path)
        assert reported(found, OF_PAGES) == near(wanted)


def earned(found: list[dict[str, Any]], currency: str = "") -> list[revenue.Row]:
    """Return the rows of a mart of revenue as the reference has them."""
    rows: list[revenue.Row] = []
    for row in found:
        made = revenue.Row(
            currency or row["currency"],
            row.get("rank", 1),
            row.get("is_other", False),
            row.get("breakdown_1", ""),
            row["bucket_at"],
            *(row[name] for name in ("revenue", "orders", "buyers", "active_persons")),
        )
        averages = (row["average_order_value"], row["revenue_per_buyer"], row["revenue_per_active_person"])
        assert averages == tuple(None if each is None else pytest.approx(each) for each in made.averages)
        rows.append(made)
    return rows


def test_revenue_is_that_of_the_reference(marts: Marts) -> None:
    for found, project, calendar in marts.each("revenue_daily", "day", 15):
        asked = revenue.Question(**calendar, orders=["buy", "gift"])
        assert earned(found) == revenue.revenue(project.events, asked)
    for found, project, calendar in marts.each("revenue_euros", "week", 5):
        asked = revenue.Question(**calendar, orders=["buy", "gift", "look", "view"], currency="EUR", value=lambda _: "")
        assert earned(found, "EUR") == revenue.revenue(project.events, asked)


def test_revenue_of_other_properties_is_that_of_the_reference(marts: Marts) -> None:
    for found, project, calendar in marts.each("revenue_paid", "month", 2, total=True):
        events = [
            replace(
                event,
                event="order" if event.event == "buy" and event.properties["plan"] else event.event,
                properties={
                    "revenue": event.properties["paid"],
                    "currency": event.properties["unit"] or "CHF",
                    **{name: event.properties[name] for name in ("plan", "channel")},
                },
            )
            for event in project.events
        ]
        asked = revenue.Question(
            **calendar,
            orders=["order"],
            active=is_mobile,
            value=lambda event: str(event.properties["plan"]),
            top=1,
        )
        assert earned(found) == revenue.revenue(events, asked)


def bucket_date(at: datetime, project: Project) -> object:
    return at.astimezone(project.zone).date()
