"""Every figure of the API against a slow, obvious computation of the same definition in plain Python."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from statistics import mean, median
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

DAY_MS = 86_400_000
NAMES = ["berlin", "new_york", "kathmandu"]
DATABASE = "apitest_marts"
RANGE = {"from": "2025-03-03", "to": "2025-04-07"}


@pytest.fixture(params=NAMES)
def project(request: pytest.FixtureRequest, modelled: Any) -> Any:
    """Return each project in turn: clocks set forward on different days, weeks from Sunday, an offset of 5:45."""
    return getattr(modelled, request.param)


async def _ask(api: httpx.AsyncClient, project: Any, path: str, **parameters: Any) -> Any:
    """Ask of whole days, which rollups may answer, and of the same instants, which only events do: both must agree."""
    by_day = RANGE | parameters
    instants = {
        name: datetime.fromtimestamp(_midnight_ms(date.fromisoformat(by_day[name]), project) / 1000, UTC).isoformat()
        for name in RANGE
    }
    answers: list[Any] = []
    for asked in (by_day, by_day | instants):
        answer = await api.get(f"/v1/projects/{project.id}/{path}", headers=project.headers, params=asked)
        assert answer.status_code == 200, answer.text
        answers.append(answer.json())
    assert answers[0]["data"] == answers[1]["data"]
    assert answers[1]["meta"]["sources"] == [f"{DATABASE}.fct_events"]
    is_rolled = f"{DATABASE}.fct_events" not in answers[0]["meta"]["sources"]
    assert is_rolled == (path != "insights/funnel" and by_day.get("measure") != "sessions")
    return answers[0]["data"]


def _in_range(project: Any) -> list[Any]:
    start, end = (_midnight_ms(date.fromisoformat(RANGE[name]), project) for name in ("from", "to"))
    return [event for event in project.events if start <= event.timestamp_ms < end]


def _midnight_ms(day: date, project: Any) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(project.timezone)).timestamp() * 1000)


def _bucket(timestamp_ms: int, interval: str, project: Any) -> datetime:
    """Return the bucket's first instant: by the wall clock for hours, by the calendar for the rest."""
    local = datetime.fromtimestamp(timestamp_ms / 1000, ZoneInfo(project.timezone))
    if interval == "hour":
        return local.astimezone(UTC) - timedelta(
            minutes=local.minute, seconds=local.second, microseconds=local.microsecond
        )
    day = local.date()
    if interval == "week":
        day -= timedelta(days=(day.isoweekday() - project.week_start) % 7)
    elif interval == "month":
        day = day.replace(day=1)
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(project.timezone)).astimezone(UTC)


def _sessions(events: Iterable[Any]) -> dict[Any, int]:
    """Find each event's session: 30 minutes of silence or 24 hours since the first event begin another."""
    numbered: dict[Any, int] = {}
    by_person: dict[str, list[Any]] = defaultdict(list)
    for event in events:
        by_person[event.person].append(event)
    number = 0
    for own in by_person.values():
        first = last = None
        for event in own:
            at = event.timestamp_ms
            if first is None or last is None or at - last >= 1_800_000 or at - first >= DAY_MS:
                number += 1
                first = at
            last = at
            numbered[event] = number
    return numbered


async def test_event_names_are_counted_with_their_persons(api: httpx.AsyncClient, project: Any) -> None:
    expected: dict[str, list[str]] = defaultdict(list)
    for event in _in_range(project):
        expected[event.name].append(event.person)
    ranked = sorted(expected, key=lambda name: (-len(expected[name]), name))
    counted = [{"event": name, "events": len(expected[name]), "persons": len(set(expected[name]))} for name in ranked]
    assert await _ask(api, project, "event-names") == counted


@pytest.mark.parametrize("interval", ["hour", "day", "week", "month"])
@pytest.mark.parametrize("measure", ["events", "persons", "sessions"])
@pytest.mark.parametrize("event", [None, "cart"])
async def test_a_time_series_counts_what_its_buckets_hold(
    api: httpx.AsyncClient, project: Any, interval: str, measure: str, event: str | None
) -> None:
    session_of = _sessions(project.events)
    expected: dict[datetime, set[Any]] = defaultdict(set)
    for number, item in enumerate(_in_range(project)):
        if event in {None, item.name}:
            counted = {"events": number, "persons": item.person, "sessions": session_of[item]}[measure]
            expected[_bucket(item.timestamp_ms, interval, project)].add(counted)
    parameters = {"interval": interval, "measure": measure} | ({} if event is None else {"event": event})
    data = await _ask(api, project, "insights/timeseries", **parameters)
    found = {datetime.fromisoformat(bucket["start"]).astimezone(UTC): bucket["value"] for bucket in data["buckets"]}
    assert {start: value for start, value in found.items() if value} == {
        start: len(of) for start, of in expected.items()
    }
    assert list(found) == sorted(found)


async def test_no_day_is_missing_or_doubled_over_a_change_of_the_clock(api: httpx.AsyncClient, project: Any) -> None:
    data = await _ask(api, project, "insights/timeseries", interval="day")
    days = [bucket["start"][:10] for bucket in data["buckets"]]
    first = date.fromisoformat(RANGE["from"])
    assert days == [str(first + timedelta(days=number)) for number in range(35)]


async def test_a_day_over_a_change_of_the_clock_has_23_or_25_hours(api: httpx.AsyncClient, modelled: Any) -> None:
    for day, following, hours in (("2025-03-30", "2025-03-31", 23), ("2025-10-26", "2025-10-27", 25)):
        parameters = {"from": day, "to": following, "interval": "hour"}
        data = await _ask(api, modelled.berlin, "insights/timeseries", **parameters)
        starts = [bucket["start"] for bucket in data["buckets"]]
        assert (len(starts), len(set(starts))) == (hours, hours)


async def test_hours_begin_on_the_clock_where_the_offset_is_45_minutes(api: httpx.AsyncClient, modelled: Any) -> None:
    data = await _ask(api, modelled.kathmandu, "insights/timeseries", interval="hour", to="2025-03-04")
    assert [bucket["start"][10:] for bucket in data["buckets"]] == [f"T{hour:02}:00:00+05:45" for hour in range(24)]


async def test_a_week_begins_on_the_projects_day(api: httpx.AsyncClient, modelled: Any) -> None:
    monday = await _ask(api, modelled.berlin, "insights/timeseries", interval="week")
    sunday = await _ask(api, modelled.new_york, "insights/timeseries", interval="week")
    assert {date.fromisoformat(bucket["start"][:10]).isoweekday() for bucket in monday["buckets"]} == {1}
    assert {date.fromisoformat(bucket["start"][:10]).isoweekday() for bucket in sunday["buckets"]} == {7}


async def test_only_a_bucket_that_has_ended_and_lies_in_the_range_is_complete(
    api: httpx.AsyncClient, modelled: Any
) -> None:
    past = await _ask(api, modelled.berlin, "insights/timeseries", interval="week", **{"from": "2025-03-05"})
    assert [bucket["is_complete"] for bucket in past["buckets"]] == [False, True, True, True, True]
    now = datetime.now(ZoneInfo("Europe/Berlin")).date()
    reach = {"from": str(now - timedelta(days=1)), "to": str(now + timedelta(days=2))}
    present = await _ask(api, modelled.berlin, "insights/timeseries", interval="day", **reach)
    assert [bucket["is_complete"] for bucket in present["buckets"]] == [True, False, False]


def _best_attempt(events: list[Any], steps: list[str], window_ms: int, start: int, end: int) -> list[int]:
    """Try every entry; each step takes the earliest unused event from the previous step's instant on."""
    best: list[int] = []
    for position, entry in enumerate(events):
        if entry.name != steps[0] or not start <= entry.timestamp_ms < end:
            continue
        used, reached = {position}, [entry.timestamp_ms]
        for step in steps[1:]:
            fitting = (
                other
                for other, event in enumerate(events)
                if other not in used
                and event.name == step
                and reached[-1] <= event.timestamp_ms <= entry.timestamp_ms + window_ms
            )
            found = next(fitting, None)
            if found is None:
                break
            used.add(found)
            reached.append(events[found].timestamp_ms)
        if len(reached) > len(best):
            best = reached
    return best


@pytest.mark.parametrize(
    ("steps", "window", "window_ms"),
    [
        (["catalog", "product_view", "add_to_cart", "cart", "purchase"], "14d", 14 * DAY_MS),
        (["catalog", "cart"], "2h", 7_200_000),
        (["cart", "cart", "purchase"], "1mo", 30 * DAY_MS),
        (["purchase", "catalog", "purchase", "catalog"], "45s", 45_000),
    ],
)
async def test_a_funnel_counts_each_persons_best_attempt(
    api: httpx.AsyncClient, project: Any, steps: list[str], window: str, window_ms: int
) -> None:
    by_person: dict[str, list[Any]] = defaultdict(list)
    for event in project.events:
        by_person[event.person].append(event)
    start, end = (_midnight_ms(date.fromisoformat(RANGE[name]), project) for name in ("from", "to"))
    attempts = [_best_attempt(own, steps, window_ms, start, end) for own in by_person.values()]
    reached = [sum(len(attempt) > number for attempt in attempts) for number in range(len(steps))]
    data = await _ask(api, project, "insights/funnel", step=steps, window=window)
    assert [step["persons"] for step in data["steps"]] == reached
    assert reached[0] > 0
    for number, step in enumerate(data["steps"]):
        waits = [attempt[number] - attempt[number - 1] for attempt in attempts if len(attempt) > number > 0]
        assert step["median_ms"] == (pytest.approx(median(waits)) if waits else None)
        assert step["average_ms"] == (pytest.approx(mean(waits)) if waits else None)
        assert step["conversion_from_first"] == pytest.approx(reached[number] / reached[0])
        if number > 0:
            assert step["dropped_off"] == reached[number - 1] - reached[number]


async def test_a_funnel_is_complete_when_the_window_of_every_entry_has_closed(
    api: httpx.AsyncClient, modelled: Any
) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    path = f"/v1/projects/{modelled.berlin.id}/insights/funnel"

    async def is_complete(window: str) -> bool:
        question = {
            "from": "2025-03-03", "to": f"{yesterday:%Y-%m-%dT%H:%M:%SZ}", "step": ["catalog", "cart"], "window": window
        }  # fmt: skip
        answer = await api.get(path, params=question, headers=modelled.berlin.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]["is_complete"]

    assert not await is_complete("25h")
    assert await is_complete("23h")


async def test_a_funnel_that_nobody_enters_has_no_rates(api: httpx.AsyncClient, modelled: Any) -> None:
    data = await _ask(api, modelled.berlin, "insights/funnel", step=["nothing of this name", "cart"])
    assert [(step["persons"], step["conversion_from_first"]) for step in data["steps"]] == [(0, None), (0, None)]
    assert data["conversion"] is None


@pytest.mark.parametrize("period", ["day", "week", "month"])
@pytest.mark.parametrize(("start_event", "return_event"), [(None, None), ("catalog", "purchase"), ("purchase", None)])
async def test_retention_follows_first_time_cohorts_on_the_calendar(
    api: httpx.AsyncClient, project: Any, period: str, start_event: str | None, return_event: str | None
) -> None:
    start, end = (_midnight_ms(date.fromisoformat(RANGE[name]), project) for name in ("from", "to"))
    entries: dict[str, int] = {}
    for event in project.events:
        if start_event in {None, event.name}:
            entries.setdefault(event.person, event.timestamp_ms)
    cohorts: dict[datetime, set[str]] = defaultdict(set)
    for person, at in entries.items():
        if start <= at < end:
            cohorts[_bucket(at, period, project)].add(person)
    active: dict[datetime, set[str]] = defaultdict(set)
    for event in project.events:
        if return_event in {None, event.name}:
            active[_bucket(event.timestamp_ms, period, project)].add(event.person)
    names = {"start_event": start_event, "return_event": return_event}
    parameters = {name: value for name, value in names.items() if value is not None}
    data = await _ask(api, project, "insights/retention", period=period, periods=4, **parameters)
    found = {datetime.fromisoformat(row["start"]).astimezone(UTC): row for row in data["cohorts"]}
    assert {at: row["size"] for at, row in found.items() if row["size"]} == {
        at: len(who) for at, who in cohorts.items()
    }
    for at, who in cohorts.items():
        bucket, expected = at, []
        for index in range(5):
            expected.append(len(who) if index == 0 else len(who & active[bucket]))
            bucket = _following(bucket, period, project)
        cells = found[at]["cells"]
        assert [cell["persons"] for cell in cells] == expected
        assert [cell["period_index"] for cell in cells] == list(range(5))
        assert all(cell["is_complete"] for cell in cells)
        assert [cell["rate"] for cell in cells] == [pytest.approx(persons / len(who)) for persons in expected]
    for average in data["averages"]:
        index = average["period_index"]
        assert average["size"] == sum(len(who) for who in cohorts.values())
        assert average["persons"] == sum(row["cells"][index]["persons"] for row in data["cohorts"])


def _following(bucket: datetime, period: str, project: Any) -> datetime:
    longest = {"day": 25, "week": 7 * 24 + 1, "month": 31 * 24 + 1}[period]
    return _bucket(int((bucket + timedelta(hours=longest)).timestamp() * 1000), period, project)


async def test_a_period_that_has_not_ended_is_incomplete_and_not_averaged_in(
    api: httpx.AsyncClient, modelled: Any
) -> None:
    now = datetime.now(ZoneInfo("Europe/Berlin")).date()
    weeks_back = timedelta(days=now.isoweekday() - 1 + 14)
    reach = {"from": str(now - weeks_back), "to": str(now + timedelta(days=1)), "period": "week", "periods": 3}
    data = await _ask(api, modelled.berlin, "insights/retention", **reach)
    complete = [[cell["is_complete"] for cell in row["cells"]] for row in data["cohorts"]]
    assert complete == [[True, True, False, False], [True, False, False, False], [False, False, False, False]]
    assert all(average["rate"] is None for average in data["averages"])


async def test_an_odd_event_name_is_a_value_and_never_sql(api: httpx.AsyncClient, modelled: Any) -> None:
    odd = next(event.name for event in modelled.berlin.events if "{event:String}" in event.name)
    expected = sum(event.name == odd for event in _in_range(modelled.berlin))
    data = await _ask(api, modelled.berlin, "insights/timeseries", event=odd)
    assert sum(bucket["value"] for bucket in data["buckets"]) == expected
    funnel = await _ask(api, modelled.berlin, "insights/funnel", step=[odd, "cart"])
    assert funnel["steps"][0]["persons"] > 0
