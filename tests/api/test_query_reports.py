"""Lifecycle, stickiness, paths, web analytics and revenue asked by a document, against the slow reference."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from engine.api_events import counted, country_in, plan_of, team_of, total_of
from engine.zones import ZONES
from reference import paths, revenue, web
from reference.calendar_buckets import bucket_start
from reference.events import Counted
from reference.lifecycle import lifecycle
from reference.stickiness import stickiness

FIRST, END = date(2025, 3, 3), date(2025, 4, 7)
RANGE = {"from": str(FIRST), "to": str(END)}
ODD_NAME = 'it\'s "odd" {event:String} -- \\ \t\n%20 💶'


@pytest.fixture(params=ZONES)
def project(request: pytest.FixtureRequest, modelled: Any) -> Any:
    """Return each project in turn: clocks set forward on different days, weeks from Sunday, an offset of 5:45."""
    return getattr(modelled, request.param)


async def _ask(api: httpx.AsyncClient, project: Any, **document: Any) -> Any:
    answer = await api.post(f"/v1/projects/{project.id}/query", headers=project.headers, json=RANGE | document)
    assert answer.status_code == 200, answer.text
    assert answer.json()["kind"] == document["kind"]
    return answer.json()


def _calendar(project: Any, interval: str) -> dict[str, Any]:
    zone = ZoneInfo(project.timezone)
    start, end = bucket_start(FIRST, zone), bucket_start(END, zone)
    return {"start": start, "end": end, "zone": zone, "interval": interval, "week_start": project.week_start}


ACTIVITIES: list[tuple[dict[str, Any], str | None]] = [({}, None), ({"events": ODD_NAME}, ODD_NAME)]


@pytest.mark.parametrize("interval", ["hour", "day", "week", "month"])
@pytest.mark.parametrize(("asked", "event"), ACTIVITIES)
async def test_a_lifecycle_tells_who_is_new_stays_comes_back_and_is_gone(
    api: httpx.AsyncClient, project: Any, interval: str, asked: dict[str, Any], event: str | None
) -> None:
    answer = await _ask(api, project, kind="lifecycle", interval=interval, **asked)
    found = [
        (datetime.fromisoformat(each["start"]), *(each[f"{name}_persons"] for name in (*_STATUSES, "active")))
        for each in answer["data"]["buckets"]
    ]
    expected = lifecycle(counted(project.events), event=event, **_calendar(project, interval))
    assert found == [
        (each.at, len(each.new), len(each.returning), len(each.resurrecting), -len(each.dormant), len(each.active))
        for each in expected
    ]
    assert all(each["is_complete"] for each in answer["data"]["buckets"])


_STATUSES = ("new", "returning", "resurrecting", "dormant")


@pytest.mark.parametrize("interval", ["hour", "day", "week", "month"])
@pytest.mark.parametrize(("asked", "event"), ACTIVITIES)
async def test_stickiness_counts_the_buckets_in_which_persons_were_active(
    api: httpx.AsyncClient, project: Any, interval: str, asked: dict[str, Any], event: str | None
) -> None:
    answer = await _ask(api, project, kind="stickiness", interval=interval, **asked)
    expected = stickiness(counted(project.events), event=event, **_calendar(project, interval))
    assert [(each["buckets"], each["persons"]) for each in answer["data"]["counts"]] == [
        (count, len(who)) for count, who in enumerate(expected, start=1)
    ]


async def test_an_activity_of_chosen_events_is_asked_of_them(api: httpx.AsyncClient, project: Any) -> None:
    where = [{"property": "total", "operator": "between", "value": [10, 60]}]
    chosen = [event for event in counted(project.events) if 10 <= total_of(event) <= 60]
    answer = await _ask(api, project, kind="stickiness", events={"event": "cart", "where": where})
    expected = stickiness(chosen, event="cart", **_calendar(project, "day"))
    assert [each["persons"] for each in answer["data"]["counts"]] == [len(who) for who in expected]
    answer = await _ask(api, project, kind="lifecycle", events={"event": "cart", "where": where})
    statuses = lifecycle(chosen, event="cart", **_calendar(project, "day"))
    assert [each["new_persons"] for each in answer["data"]["buckets"]] == [len(each.new) for each in statuses]


def _name(event: Counted) -> str:
    return event.event


def _path(event: Counted) -> str:
    return paths.grouped(event.path, ["/product/*3"])


def _is_cart(event: Counted) -> bool:
    return event.event == "cart"


PATHS: list[tuple[dict[str, Any], dict[str, Any], Callable[[Counted], str]]] = [
    ({}, {}, _name),
    (
        {"window": "3h", "exclude": ["cart"], "start_point": "catalog", "max_steps": 4, "min_sequences": 2},
        {
            "window": timedelta(hours=3),
            "excludes": _is_cart,
            "start_point": "catalog",
            "max_steps": 4,
            "min_sequences": 2,
        },
        _name,
    ),
    ({"end_point": ODD_NAME, "max_steps": 3}, {"end_point": ODD_NAME, "max_steps": 3}, _name),
    ({"nodes": "page_path", "groups": ["/product/*3"]}, {}, _path),
]


@pytest.mark.parametrize(("asked", "shape", "name"), PATHS)
async def test_paths_count_the_sequences_of_nodes_and_edges(
    api: httpx.AsyncClient, project: Any, asked: dict[str, Any], shape: dict[str, Any], name: Any
) -> None:
    data = (await _ask(api, project, kind="paths", **asked))["data"]
    calendar = _calendar(project, "day")
    question = paths.Question(name=name, start=calendar["start"], end=calendar["end"], **shape)
    expected = paths.paths(counted(project.events), question)
    nodes = {(each["position"], each["name"], each["sequences"], each["drop_offs"]) for each in data["nodes"]}
    assert nodes == {(row.position, row.name, row.sequences, row.drop_offs) for row in expected if not row.next_name}
    edges = {(each["position"], each["name"], each["next_name"]): each for each in data["edges"]}
    of_reference = {(row.position, row.name, row.next_name): row for row in expected if row.next_name}
    assert set(edges) == set(of_reference)
    for place, edge in edges.items():
        row = of_reference[place]
        assert (edge["sequences"], edge["average_ms"]) == (row.sequences, pytest.approx(row.avg_ms))
    assert nodes


@pytest.mark.parametrize("interval", ["day", "week", "total"])
@pytest.mark.parametrize("breakdown", [[], ["entry_path"], ["country"]])
async def test_web_analytics_count_the_sessions_that_have_a_view(
    api: httpx.AsyncClient, project: Any, interval: str, breakdown: list[str]
) -> None:
    asked = {"total": True} if interval == "total" else {"interval": interval}
    answer = await _ask(api, project, kind="web", breakdown=breakdown, top=2, **asked)
    events = [_with_channel(event) for event in counted(project.events)]
    value = {"": None, "entry_path": _entry_path, "country": _channel}
    question = web.Question(**_calendar(project, interval), top=2)
    expected = web.web(events, question, value["".join(breakdown)])
    names = ["visitors", "sessions", "views", "bounces", "bounce_rate", "average_duration_ms", "views_per_session"]
    assert _rows(answer, names) == _shown(expected, breakdown)
    assert answer["data"]["counted"] == "sessions"


def _entry_path(visit: web.Visit) -> str:
    return visit.entry_path


def _channel(visit: web.Visit) -> str:
    return visit.channel


def _with_channel(event: Counted) -> Counted:
    """Return the event with its country in the one column of a session that the reference knows."""
    return replace(event, properties={"channel": country_in(event)})


async def test_web_analytics_by_page_count_views(api: httpx.AsyncClient, project: Any) -> None:
    where = [{"column": "country", "operator": "is_not", "value": "DE"}]
    answer = await _ask(api, project, kind="web", breakdown=["page_path"], interval="week", top=3, where=where)
    events = [event for event in counted(project.events) if country_in(event) != "DE"]
    question = web.Question(**_calendar(project, "week"), top=3)
    expected = web.pages(events, question, lambda event: event.path)
    assert _rows(answer, ["visitors", "views", "sessions"]) == _shown(expected, ["page_path"])
    assert answer["data"]["counted"] == "views"
    assert answer["data"]["lines"][0]["points"][0]["bounces"] is None


async def test_web_analytics_of_persons_with_a_trait(api: httpx.AsyncClient, project: Any) -> None:
    where = [{"trait": "team", "value": "blue"}]
    answer = await _ask(api, project, kind="web", where=where, total=True)
    events = [event for event in counted(project.events) if team_of(event) == "blue"]
    [row] = web.web(events, web.Question(**_calendar(project, "total")), None)
    [point] = answer["data"]["lines"][0]["points"]
    assert (point["visitors"], point["sessions"], point["views"]) == row[4][:3]


def _rows(answer: Any, names: list[str]) -> list[tuple[Any, ...]]:
    return [
        (
            tuple(each["text"] for each in line["breakdown"]),
            datetime.fromisoformat(point["start"]),
            tuple(None if point[name] is None else pytest.approx(point[name]) for name in names),
        )
        for line in answer["data"]["lines"]
        for point in line["points"]
    ]


def _shown(rows: list[web.Row], breakdown: list[str]) -> list[tuple[Any, ...]]:
    return [
        ((("(other)" if is_other else value or "(none)"),) if breakdown else (), at, figures)
        for _, is_other, value, at, figures in rows
    ]


def _has_country(event: Counted) -> bool:
    return country_in(event) != ""


REVENUES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"interval": "week"}, {"interval": "week"}),
    ({"total": True, "in_currency": "EUR"}, {"interval": "total", "currency": "EUR"}),
    (
        {"interval": "month", "breakdown": [{"property": "plan"}], "top": 2},
        {"interval": "month", "value": plan_of, "top": 2},
    ),
    (
        {"interval": "week", "where": [{"column": "country", "value": ["DE", "FR"]}]},
        {"interval": "week", "active": _has_country},
    ),
]


@pytest.mark.parametrize(("asked", "shape"), REVENUES)
async def test_revenue_is_added_up_exactly(
    api: httpx.AsyncClient, project: Any, asked: dict[str, Any], shape: dict[str, Any]
) -> None:
    answer = await _ask(api, project, kind="revenue", orders="purchase", **asked)
    question = revenue.Question(orders={"purchase"}, **_calendar(project, shape["interval"]) | shape)
    expected = revenue.revenue(counted(project.events), question)
    found = [
        (
            line["currency"],
            datetime.fromisoformat(point["start"]),
            float(point["revenue"]),
            *(point[name] for name in ("orders", "buyers", "active_persons")),
            point["revenue_per_buyer"],
        )
        for line in answer["data"]["lines"]
        for point in line["points"]
    ]
    assert found == [
        (row.currency, row.bucket, float(row.revenue), row.orders, row.buyers, row.active_persons, _approx(row))
        for row in expected
    ]
    assert all("." in point["revenue"] for line in answer["data"]["lines"] for point in line["points"])


def _approx(row: revenue.Row) -> Any:
    per_buyer = row.averages[1]
    return None if per_buyer is None else pytest.approx(per_buyer)


async def test_an_amount_and_a_currency_of_ones_own_are_read(api: httpx.AsyncClient, modelled: Any) -> None:
    asked = {"amount": {"property": "total"}, "currency": {"property": "plan"}, "default_currency": "CHF"}
    answer = await _ask(api, modelled.berlin, kind="revenue", orders="cart", total=True, **asked)
    lines = {line["currency"]: line["points"][0] for line in answer["data"]["lines"]}
    calendar = _calendar(modelled.berlin, "total")
    carts = [
        event
        for event in counted(modelled.berlin.events)
        if event.event == "cart" and calendar["start"] <= event.timestamp < calendar["end"]
    ]
    without = [event for event in carts if "plan" not in event.properties]
    assert float(lines["CHF"]["revenue"]) == sum(total_of(event) for event in without)
    # What is no code of a currency is one line.
    assert set(lines) == {"CHF", "PRO", "TEAM", "(other)"}


_NEVER = {"from": "2000-01-01", "to": "2000-01-03"}
_SUMS = [
    {"name": "seen", "measure": "events"},
    {"name": "paid", "measure": "sum", "of": {"property": "total"}},
    {"name": "on_average", "measure": "avg", "of": {"property": "total"}},
]


@pytest.mark.parametrize("total", [True, False])
@pytest.mark.parametrize(
    ("document", "figures"),
    [
        (
            {"kind": "trend", "series": _SUMS, "formulas": [{"name": "each", "formula": "B / A"}]},
            {"figures": {"seen": 0, "paid": 0, "on_average": None, "each": None}},
        ),
        ({"kind": "web"}, {"visitors": 0, "sessions": 0, "views": 0, "bounces": 0, "bounce_rate": None}),
        ({"kind": "revenue", "orders": "purchase"}, {"revenue": "0.000000", "orders": 0, "average_order_value": None}),
    ],
)
async def test_where_there_is_nothing_are_zeros_and_no_averages_and_no_values(
    api: httpx.AsyncClient, modelled: Any, document: dict[str, Any], figures: dict[str, Any], *, total: bool
) -> None:
    asked = _NEVER | document | {"total": total}
    (line,) = (await _ask(api, modelled.berlin, **asked))["data"]["lines"]
    assert len(line["points"]) == (1 if total else 2)
    for point in line["points"]:
        assert point | figures == point
    by = "country" if document["kind"] == "web" else {"column": "country"}
    assert (await _ask(api, modelled.berlin, **asked, breakdown=[by]))["data"]["lines"] == []


@pytest.mark.parametrize(("said", "currency"), [({}, "(none)"), ({"default_currency": "CHF"}, "CHF")])
async def test_zeros_of_revenue_are_in_the_currency_of_orders_that_name_none_and_count_who_was_active(
    api: httpx.AsyncClient, modelled: Any, said: dict[str, Any], currency: str
) -> None:
    answer = await _ask(api, modelled.berlin, kind="revenue", orders="never", total=True, **said)
    (line,) = answer["data"]["lines"]
    calendar = _calendar(modelled.berlin, "day")
    events = counted(modelled.berlin.events)
    active = {event.person for event in events if calendar["start"] <= event.timestamp < calendar["end"]}
    (point,) = line["points"]
    assert (line["currency"], float(point["revenue"]), point["active_persons"]) == (currency, 0, len(active))
    assert point["revenue_per_active_person"] == 0
    assert currency in answer["meta"]["parameters"].values()
