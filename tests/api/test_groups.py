"""Groups in place of persons, against the slow reference: there a group is who sent its events."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from engine.api_events import counted, plan_of
from engine.zones import ZONES
from reference import retention as retentions
from reference import trends
from reference.calendar_buckets import bucket_start
from reference.events import Counted
from reference.funnel import Funnel, counted_attempts
from reference.funnel_figures import funnel_steps, top_values, trend, waited
from reference.lifecycle import lifecycle
from reference.stickiness import stickiness

FIRST, END = date(2025, 3, 3), date(2025, 4, 7)
RANGE = {"from": str(FIRST), "to": str(END)}
STEPS = ["catalog", "cart", "purchase"]
FUNNEL = {"steps": STEPS, "window": "2d"}


@pytest.fixture(params=ZONES)
def project(request: pytest.FixtureRequest, modelled: Any) -> Any:
    """Return each project in turn: clocks set forward on different days, weeks from Sunday, an offset of 5:45."""
    return getattr(modelled, request.param)


async def _ask(api: httpx.AsyncClient, project: Any, **document: Any) -> Any:
    asked = RANGE | {"group_type": "company"} | document
    answer = await api.post(f"/v1/projects/{project.id}/query", headers=project.headers, json=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def _companies(project: Any) -> list[Counted]:
    return [replace(event, person=event.group) for event in counted(project.events) if event.group]


def _span(project: Any) -> dict[str, Any]:
    zone = ZoneInfo(project.timezone)
    return {"start": bucket_start(FIRST, zone), "end": bucket_start(END, zone), "zone": zone}


def _calendar(project: Any, interval: str) -> dict[str, Any]:
    return _span(project) | {"interval": interval, "week_start": project.week_start}


def _named(*names: str) -> Callable[[Counted], bool]:
    return lambda event: not names or event.event in names


def _funnel(project: Any, **more: Any) -> Funnel:
    span = _span(project)
    del span["zone"]
    return Funnel(steps=[_named(name) for name in STEPS], window=timedelta(days=2), **span, **more)


async def test_a_trend_counts_groups_and_their_events(api: httpx.AsyncClient, project: Any) -> None:
    asked = [
        {"name": "all_of_it"},
        {"name": "buyers", "event": "purchase", "measure": "persons"},
        {"name": "weekly", "measure": "persons", "trailing": 7},
        {"name": "carts", "event": "cart", "measure": "events_per_person"},
    ]
    data = await _ask(api, project, kind="trend", series=asked)
    series = [
        trends.Series(_named(), "events"),
        trends.Series(_named("purchase"), "actors"),
        trends.Series(_named(), "actors", trailing=7),
        trends.Series(_named("cart"), "events_per_actor"),
    ]
    expected = trends.trends(_companies(project), trends.Question(series, **_calendar(project, "day")))
    assert [list(point["figures"].values()) for point in data["lines"][0]["points"]] == [
        [None if figure is None else pytest.approx(figure) for figure in point.figures] for point in expected
    ]


@pytest.mark.parametrize(
    ("asked", "shape"),
    [
        ({}, {}),
        ({"order": "unordered"}, {"order": "unordered"}),
        ({"order": "strict"}, {"order": "strict"}),
        ({"attempts": "first"}, {"attempts": "first"}),
    ],
)
async def test_a_funnel_follows_groups(
    api: httpx.AsyncClient, project: Any, asked: dict[str, Any], shape: dict[str, Any]
) -> None:
    data = await _ask(api, project, kind="funnel", **FUNNEL, **asked)
    attempts = counted_attempts(_companies(project), _funnel(project, **shape)).values()
    window, now = timedelta(days=2), datetime(2026, 1, 1, tzinfo=UTC)
    steps = [step.persons for step in funnel_steps(attempts, len(STEPS), window, now)]
    assert steps[0] > 1
    assert [step["persons"] for step in data["lines"][0]["steps"]] == steps


async def test_a_funnel_of_groups_is_told_apart_and_cut_by_time(api: httpx.AsyncClient, project: Any) -> None:
    data = await _ask(api, project, kind="funnel", **FUNNEL, breakdown={"property": "plan", "top": 2})
    attempts = counted_attempts(_companies(project), _funnel(project, breakdown=plan_of))
    entered = [(text, kind) for _, text, kind in top_values(attempts, 2)]
    assert {
        (value["text"], value["kind"]): line["steps"][0]["persons"]
        for line in data["lines"]
        for value in line["breakdown"]
    } == {value: entered.count(value) for value in entered}
    done = counted_attempts(_companies(project), _funnel(project)).values()
    weeks = await _ask(api, project, kind="funnel_trend", **FUNNEL, interval="week")
    calendar = _calendar(project, "week")
    start, end = calendar.pop("start"), calendar.pop("end")
    assert [
        (datetime.fromisoformat(bucket["start"]), step["step"], step["persons"])
        for bucket in weeks["lines"][0]["buckets"]
        for step in bucket["steps"]
    ] == trend(done, len(STEPS), start, end, **calendar)
    times = await _ask(api, project, kind="funnel_times", **FUNNEL, bin_ms=3_600_000)
    took = [waited(attempt, 1, len(STEPS)) for attempt in done if len(attempt) == len(STEPS)]
    assert sum(each["persons"] for each in times["lines"][0]["bins"]) == len(took)


@pytest.mark.parametrize(
    "more", [{"cohort": "first_time"}, {"cohort": "recurring"}, {"cohort": "recurring", "clock": "rolling"}]
)
async def test_retention_follows_groups(api: httpx.AsyncClient, project: Any, more: dict[str, Any]) -> None:
    data = await _ask(api, project, kind="retention", period="day", periods=4, **more)
    question = retentions.Retention(
        starts=_named(),
        returns=_named(),
        period="day",
        periods=4,
        now=datetime(2026, 1, 1, tzinfo=UTC),
        week_start=project.week_start,
        **_span(project),
        **more,
    )
    cells = retentions.retention(_companies(project), question)
    assert [
        (datetime.fromisoformat(cohort["start"]), cell["period_index"], cell["persons"], cohort["size"])
        for cohort in data["lines"][0]["cohorts"]
        for cell in cohort["cells"]
    ] == [(cell.cohort, cell.period_index, cell.persons, cell.cohort_size) for cell in cells]


@pytest.mark.parametrize(("asked", "event"), [({}, None), ({"events": "purchase"}, "purchase")])
async def test_lifecycle_and_stickiness_are_of_groups(
    api: httpx.AsyncClient, project: Any, asked: dict[str, Any], event: str | None
) -> None:
    companies = _companies(project)
    data = await _ask(api, project, kind="lifecycle", **asked)
    statuses = ("new", "returning", "resurrecting")
    assert [tuple(each[f"{name}_persons"] for name in statuses) for each in data["buckets"]] == [
        tuple(len(getattr(each, name)) for name in statuses)
        for each in lifecycle(companies, event=event, **_calendar(project, "day"))
    ]
    data = await _ask(api, project, kind="stickiness", **asked)
    days = stickiness(companies, event=event, **_calendar(project, "day"))
    assert [each["persons"] for each in data["counts"]] == [len(who) for who in days]


async def test_groups_of_a_kind_that_nobody_has_are_none(api: httpx.AsyncClient, modelled: Any) -> None:
    data = await _ask(api, modelled.berlin, kind="funnel", **FUNNEL, group_type="team")
    assert [step["persons"] for step in data["lines"][0]["steps"]] == [0, 0, 0]


async def test_the_persons_behind_a_figure_are_no_groups(api: httpx.AsyncClient, modelled: Any) -> None:
    document = RANGE | FUNNEL | {"kind": "funnel_persons", "step": 1, "group_type": "company"}
    url = f"/v1/projects/{modelled.berlin.id}/query"
    answer = await api.post(url, headers=modelled.berlin.headers, json=document)
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert (error["pointer"], error["message"]) == ("/group_type", "groups are counted, and persons listed")
