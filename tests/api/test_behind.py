"""Who stands behind a figure, asked by a document, against the slow reference over the same events."""

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from sqlalchemy.orm import Session

from api.insights.unmodelled import UnmodelledEvents
from api.insights.unmodelled_sql import Unmodelled
from core import metadata
from core.metadata import projects
from engine.api_events import counted, plan_of, team_of
from engine.zones import ZONES
from reference import retention as retentions
from reference.calendar_buckets import bucket_start
from reference.events import Counted
from reference.funnel import Funnel, counted_attempts
from reference.funnel_figures import top_values
from reference.lifecycle import lifecycle
from reference.stickiness import stickiness
from runtime.instance import Instance

FIRST, END = date(2025, 3, 3), date(2025, 4, 7)
RANGE = {"from": str(FIRST), "to": str(END)}
STEPS = ["catalog", "cart", "purchase"]
FUNNEL: dict[str, Any] = {"kind": "funnel_persons", "steps": STEPS, "step": 1}
RETENTION: dict[str, Any] = {"kind": "retention_persons", "at": "2025-03-03T00:00:00Z", "period_index": 1}
LIFECYCLE: dict[str, Any] = {"kind": "lifecycle_persons", "at": "2025-03-03T00:00:00Z", "status": "new"}


@pytest.fixture(params=ZONES)
def project(request: pytest.FixtureRequest, modelled: Any) -> Any:
    """Return each project in turn: clocks set forward on different days, weeks from Sunday, an offset of 5:45."""
    return getattr(modelled, request.param)


async def _post(api: httpx.AsyncClient, project: Any, **document: Any) -> httpx.Response:
    return await api.post(f"/v1/projects/{project.id}/query", headers=project.headers, json=RANGE | document)


async def _listed(api: httpx.AsyncClient, project: Any, **document: Any) -> set[str]:
    """Return all that a document lists, two on each page, and check what the pages say of themselves."""
    found: list[Any] = []
    after: dict[str, Any] = {}
    while True:
        answer = await _post(api, project, **document, limit=2, **after)
        assert answer.status_code == 200, answer.text
        assert answer.json()["kind"] == document["kind"]
        data = answer.json()["data"]
        found += data["persons"]
        if data["next"] is None:
            break
        after = {"after": data["next"]}
    assert data["size"] in {len(found), None}
    seen = [(row["last_seen_at"], row["person_number"]) for row in found]
    assert seen == sorted(set(seen), reverse=True)
    return {row["user_id"] for row in found}


def _span(project: Any) -> dict[str, Any]:
    zone = ZoneInfo(project.timezone)
    return {"start": bucket_start(FIRST, zone), "end": bucket_start(END, zone)}


def _calendar(project: Any) -> dict[str, Any]:
    return _span(project) | {"zone": ZoneInfo(project.timezone), "week_start": project.week_start}


def _named(*names: str) -> Callable[[Counted], bool]:
    return lambda event: not names or event.event in names


async def test_of_a_series_it_is_who_did_what_it_counts_in_the_range(api: httpx.AsyncClient, project: Any) -> None:
    where = [{"property": "plan", "value": "pro"}, {"trait": "team", "value": "blue"}]
    span = {"from": "2025-03-05", "to": "2025-03-09"}
    zone = ZoneInfo(project.timezone)
    start, end = (bucket_start(date.fromisoformat(day), zone) for day in span.values())
    listed = await _listed(api, project, kind="trend_persons", **span, events={"event": STEPS, "where": where})
    assert listed == {
        event.person
        for event in counted(project.events)
        if event.event in STEPS
        and plan_of(event) == "pro"
        and team_of(event) == "blue"
        and start <= event.timestamp < end
    }
    assert listed


@pytest.mark.parametrize("step", [1, 2, 3])
async def test_of_a_funnel_it_is_who_reached_a_step_and_who_was_lost_after_it(
    api: httpx.AsyncClient, project: Any, step: int
) -> None:
    funnel = Funnel(steps=[_named(name) for name in STEPS], window=timedelta(days=2), **_span(project))
    attempts = counted_attempts(counted(project.events), funnel)
    asked = {"kind": "funnel_persons", "steps": STEPS, "window": "2d", "step": step}
    reached = {person for (person, _), attempt in attempts.items() if len(attempt) >= step}
    assert await _listed(api, project, **asked) == reached
    lost = {person for (person, _), attempt in attempts.items() if len(attempt) == step < len(STEPS)}
    assert await _listed(api, project, **asked, is_lost=True) == lost


async def test_of_a_bucket_of_a_funnel_over_time_it_is_whose_attempt_began_then(
    api: httpx.AsyncClient, project: Any
) -> None:
    asked = {"steps": STEPS, "window": "2d", "interval": "week"}
    [line] = (await _post(api, project, kind="funnel_trend", **asked)).json()["data"]["lines"]
    found: list[str] = []
    for bucket in line["buckets"]:
        listed = await _listed(api, project, kind="funnel_persons", **asked, at=bucket["start"], step=2)
        assert len(listed) == bucket["steps"][1]["persons"]
        found += listed
    assert sorted(found) == sorted(await _listed(api, project, kind="funnel_persons", steps=STEPS, window="2d", step=2))


async def test_of_a_breakdown_it_is_who_counts_for_one_value(api: httpx.AsyncClient, modelled: Any) -> None:
    project = modelled.berlin
    asked = {"steps": STEPS[:2], "breakdown": {"property": "plan", "top": 4}, "window": "2d"}
    shape: dict[str, Any] = {"steps": [_named(name) for name in STEPS[:2]], "breakdown": plan_of}
    funnel = Funnel(window=timedelta(days=2), **shape, **_span(project))
    by_value: dict[tuple[str, str], set[str]] = {}
    for (person, text, kind), attempt in top_values(counted_attempts(counted(project.events), funnel), 4).items():
        if len(attempt) >= 2:
            by_value.setdefault((text, kind), set()).add(person)
    assert {kind for _, kind in by_value} == {"value", "none", "other"}
    figures = (await _post(api, project, kind="funnel", **asked)).json()["data"]["lines"]
    for line in figures:
        [value] = line["breakdown"]
        listed = await _listed(api, project, kind="funnel_persons", **asked, step=2, value=value)
        assert listed == by_value[value["text"], value["kind"]]
        assert len(listed) == line["steps"][1]["persons"]


@pytest.mark.parametrize(
    ("asked", "shape"),
    [
        ({"period": "week", "start": "catalog", "returning": "cart"}, {}),
        ({"period": "month", "return_rule": "on_or_after", "cohort": "recurring"}, {"rule": "on_or_after"}),
        (
            {"period": "day", "return_rule": "brackets", "brackets": [[1, 2], [3, 9]]},
            {"rule": "brackets", "brackets": [(1, 2), (3, 9)]},
        ),
        (
            {"period": "day", "clock": "rolling", "return_rule": "brackets", "brackets": [[1, 2], [3, 9]]},
            {"rule": "brackets", "brackets": [(1, 2), (3, 9)]},
        ),
    ],
)
async def test_of_a_retention_it_is_who_of_a_cohort_came_back(
    api: httpx.AsyncClient, project: Any, asked: dict[str, Any], shape: dict[str, Any]
) -> None:
    names = {name: asked.get(key) for name, key in (("starts", "start"), ("returns", "returning"))}
    conditions = {key: _named(*filter(None, [name])) for key, name in names.items()}
    told = {name: asked[name] for name in ("cohort", "clock", "period") if name in asked}
    question = retentions.Retention(
        **conditions, **told, **shape, **_calendar(project), periods=4, now=datetime(2026, 1, 1, tzinfo=UTC)
    )
    events = counted(project.events)
    entered = retentions.entries(events, question)
    for cohort in sorted({entry.cohort for entry in entered})[:2]:
        members = [entry for entry in entered if entry.cohort == cohort]
        for index in (0, 1, 2):
            listed = await _listed(
                api,
                project,
                kind="retention_persons",
                periods=4,
                **asked,
                at=bucket_start(cohort, question.zone).isoformat(),
                period_index=index,
            )
            assert listed == {
                entry.person
                for entry in members
                if retentions.is_back(entry, index, _of(events, entry.person), question)
            }


async def test_of_a_retention_that_is_told_apart_it_is_who_entered_with_a_value(
    api: httpx.AsyncClient, modelled: Any
) -> None:
    asked = {"period": "week", "start": "catalog", "breakdown": {"property": "plan", "top": 9}}
    answer = (await _post(api, modelled.berlin, kind="retention", **asked)).json()["data"]
    assert {line["breakdown"][0]["kind"] for line in answer["lines"]} == {"value", "none"}
    entered: list[str] = []
    for line in answer["lines"]:
        cohort = line["cohorts"][0]
        cell = {"at": cohort["start"], "period_index": 0, "value": line["breakdown"][0]}
        listed = await _listed(api, modelled.berlin, kind="retention_persons", **asked, **cell)
        assert len(listed) == cohort["size"]
        entered += listed
    assert len(entered) == len(set(entered))


async def test_of_a_lifecycle_it_is_who_has_a_status_in_a_bucket(api: httpx.AsyncClient, project: Any) -> None:
    expected = lifecycle(counted(project.events), event="cart", interval="week", **_calendar(project))
    for bucket in expected[1:3]:
        for status in ("active", "new", "returning", "resurrecting", "dormant"):
            asked = {"interval": "week", "events": "cart", "at": bucket.at.isoformat(), "status": status}
            assert await _listed(api, project, kind="lifecycle_persons", **asked) == getattr(bucket, status)


async def test_of_stickiness_it_is_who_was_active_in_so_many_buckets(api: httpx.AsyncClient, project: Any) -> None:
    expected = stickiness(counted(project.events), event="cart", interval="day", **_calendar(project))
    for count in (1, 3):
        asked = {"kind": "stickiness_persons", "events": "cart", "buckets": count}
        assert await _listed(api, project, **asked) == expected[count - 1]
        assert await _listed(api, project, **asked, or_more=True) == set().union(*expected[count - 1 :])


async def test_what_landed_since_the_latest_refresh_is_told_and_not_among_them(
    api: httpx.AsyncClient, modelled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = datetime.now(UTC)

    async def find(*_: Any) -> Unmodelled:
        return Unmodelled(at, at, deliveries=3, events=3)

    monkeypatch.setattr(UnmodelledEvents, "find", find)
    for asked in ({"kind": "trend_persons"}, {"kind": "persons"}):
        document = (RANGE if asked["kind"] == "trend_persons" else {}) | asked
        answer = await api.post(
            f"/v1/projects/{modelled.berlin.id}/query", headers=modelled.berlin.headers, json=document
        )
        told = answer.json()["meta"]["unmodelled"]
        assert (told["events"], told["is_counted"]) == (3, False)


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        (FUNNEL | {"step": 4}, "/step"),
        (FUNNEL | {"step": 0}, "/step"),
        (FUNNEL | {"value": {"text": "pro"}}, "/value"),
        (FUNNEL | {"breakdown": {"property": "plan"}}, ""),
        (FUNNEL | {"at": "2025-03-03T00:00:00Z"}, ""),
        (FUNNEL | {"at": "2025-05-03T00:00:00Z", "interval": "day"}, "/at"),
        (RETENTION | {"at": "2025-03-03T00:00:00"}, "/at"),
        (RETENTION | {"at": "0900-01-01T00:00:00Z"}, "/at"),
        (RETENTION | {"period_index": 13}, "/period_index"),
        (RETENTION | {"return_rule": "brackets", "brackets": [[1, 5]], "period_index": 2}, "/period_index"),
        (RETENTION | {"breakdown": {"property": "plan"}, "value": {"text": "(other)", "kind": "other"}}, "/value"),
        (LIFECYCLE | {"status": "lost"}, "/status"),
        (LIFECYCLE | {"at": "0001-01-01T00:00:00+14:00"}, "/at"),
        (LIFECYCLE | {"at": "9999-12-31T23:59:59-12:00"}, "/at"),
        (LIFECYCLE | {"at": "2025-04-08T00:00:00Z"}, "/at"),
        ({"kind": "stickiness_persons"}, "/buckets"),
        ({"kind": "stickiness_persons", "buckets": 1, "after": "nonsense"}, "/after"),
    ],
)
async def test_what_is_no_figure_is_refused_at_its_place(
    api: httpx.AsyncClient, modelled: Any, document: dict[str, Any], pointer: str
) -> None:
    answer = await _post(api, modelled.berlin, **document)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize(("order", "count"), [("ordered", 9), ("unordered", 15)])
async def test_the_list_of_a_long_funnel_takes_no_more_than_its_figure(
    api: httpx.AsyncClient, modelled: Any, order: str, count: int
) -> None:
    asked = {"steps": (STEPS * 6)[:count], "order": order}
    figure = await _post(api, modelled.berlin, kind="funnel", **asked)
    # Planned badly, it is given up after 30 s.
    listed = await _post(api, modelled.berlin, kind="funnel_persons", step=2, limit=1, **asked)
    assert listed.status_code == figure.status_code == 200
    # Its statement holds the funnel once, further to the right.
    assert len(listed.json()["meta"]["sql"]) < len(figure.json()["meta"]["sql"]) * 1.3
    assert listed.json()["data"]["size"] == figure.json()["data"]["lines"][0]["steps"][1]["persons"] > 0


@pytest.mark.parametrize(
    "document",
    [{"kind": "trend_persons"}, FUNNEL, RETENTION, LIFECYCLE, {"kind": "stickiness_persons", "buckets": 1}],
)
async def test_who_may_see_figures_alone_is_not_told_who_stands_behind_them(
    api: httpx.AsyncClient, modelled: Any, runtime: Instance, document: dict[str, Any]
) -> None:
    engine = metadata.connect(runtime.database_url)
    with Session(engine) as session, session.begin():
        key = projects.create_api_key(session, modelled.berlin.id, "figures", scopes=["data:query"])
    engine.dispose()
    path, headers = f"/v1/projects/{modelled.berlin.id}/query", {"authorization": f"Bearer {key}"}
    answer = await api.post(path, headers=headers, json=RANGE | document)
    assert (answer.status_code, answer.json()["permission"]) == (403, "persons:read")


def _of(events: Iterable[Counted], person: str) -> list[Counted]:
    return [event for event in events if event.person == person]
