"""A funnel over time and how long it takes, asked by a document, against the slow reference over the same events."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from api.queries import service
from engine.api_events import counted, plan_of
from engine.zones import ZONES
from reference.calendar_buckets import bucket_end, bucket_start
from reference.events import Counted
from reference.funnel import Funnel, counted_attempts
from reference.funnel_figures import top_values, trend, waited

FIRST, END = date(2025, 3, 3), date(2025, 4, 7)
RANGE = {"from": str(FIRST), "to": str(END)}
STEPS = ["catalog", "cart", "purchase"]
HOUR_MS = 3_600_000


@pytest.fixture(params=ZONES)
def project(request: pytest.FixtureRequest, modelled: Any) -> Any:
    """Return each project in turn: clocks set forward on different days, weeks from Sunday, an offset of 5:45."""
    return getattr(modelled, request.param)


async def _ask(api: httpx.AsyncClient, project: Any, **document: Any) -> Any:
    answer = await api.post(f"/v1/projects/{project.id}/query", headers=project.headers, json=RANGE | document)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def _named(name: str) -> Callable[[Counted], bool]:
    return lambda event: event.event == name


def _funnel(project: Any, **more: Any) -> Funnel:
    zone = ZoneInfo(project.timezone)
    span = {"start": bucket_start(FIRST, zone), "end": bucket_start(END, zone)}
    return Funnel(steps=[_named(name) for name in STEPS], window=timedelta(days=2), **span, **more)


@pytest.mark.parametrize("interval", ["day", "week", "month"])
async def test_a_funnel_over_time_counts_by_the_bucket_of_the_entry(
    api: httpx.AsyncClient, project: Any, interval: str
) -> None:
    data = await _ask(api, project, kind="funnel_trend", steps=STEPS, window="2d", interval=interval)
    funnel = _funnel(project)
    attempts = counted_attempts(counted(project.events), funnel).values()
    calendar: dict[str, Any] = {"zone": ZoneInfo(project.timezone), "week_start": project.week_start}
    [line] = data["lines"]
    assert [
        (datetime.fromisoformat(bucket["start"]), step["step"], step["persons"])
        for bucket in line["buckets"]
        for step in bucket["steps"]
    ] == trend(attempts, len(STEPS), funnel.start, funnel.end, interval=interval, **calendar)
    for bucket in line["buckets"]:
        entered = bucket["steps"][0]["persons"]
        rates = [step["conversion_from_first"] for step in bucket["steps"]]
        assert rates == [pytest.approx(step["persons"] / entered) if entered else None for step in bucket["steps"]]
        begins = datetime.fromisoformat(bucket["start"])
        ends = bucket_end(begins, interval, **calendar)
        assert bucket["is_complete"] == (funnel.start <= begins and ends <= funnel.end)


async def test_each_value_has_its_own_buckets(api: httpx.AsyncClient, modelled: Any) -> None:
    asked = {"steps": STEPS, "window": "2d", "breakdown": {"property": "plan", "top": 2}}
    over_time = await _ask(api, modelled.berlin, kind="funnel_trend", interval="week", **asked)
    whole = await _ask(api, modelled.berlin, kind="funnel", **asked)
    persons = {
        str(line["breakdown"]): [
            sum(bucket["steps"][place]["persons"] for bucket in line["buckets"]) for place in (0, 1, 2)
        ]
        for line in over_time["lines"]
    }
    order = [
        (line["breakdown"][0]["kind"] == "other", -counts[0])
        for line, counts in zip(over_time["lines"], persons.values(), strict=True)
    ]
    assert order == sorted(order)
    assert persons == {str(line["breakdown"]): [step["persons"] for step in line["steps"]] for line in whole["lines"]}


@pytest.mark.parametrize(("told", "first", "last"), [({}, 1, 3), ({"from_step": 2}, 2, 3), ({"to_step": 2}, 1, 2)])
async def test_every_conversion_lies_in_one_bin(
    api: httpx.AsyncClient, project: Any, told: dict[str, Any], first: int, last: int
) -> None:
    asked = {"kind": "funnel_times", "steps": STEPS, "window": "2d", **told}
    attempts = counted_attempts(counted(project.events), _funnel(project)).values()
    times = [waited(attempt, first, last) for attempt in attempts if len(attempt) >= last]
    assert times
    for width in ({"bin_ms": HOUR_MS}, {"bins": 4}):
        data = await _ask(api, project, **asked, **width)
        assert (data["from_step"], data["to_step"]) == (first, last)
        [line] = data["lines"]
        for each in line["bins"]:
            assert each["persons"] == sum(each["from_ms"] <= time < each["to_ms"] for time in times)
        assert sum(each["persons"] for each in line["bins"]) == len(times)
        widths = {each["to_ms"] - each["from_ms"] for each in line["bins"]}
        assert widths == {HOUR_MS} if "bin_ms" in width else len(line["bins"]) <= 4


async def test_each_value_has_the_same_bins_and_nobody_has_none(api: httpx.AsyncClient, modelled: Any) -> None:
    asked = {"kind": "funnel_times", "window": "2d", "breakdown": {"property": "plan", "top": 2}, "bins": 3}
    data = await _ask(api, modelled.berlin, steps=STEPS, **asked)
    attempts = top_values(
        counted_attempts(counted(modelled.berlin.events), _funnel(modelled.berlin, breakdown=plan_of)), 2
    )
    done = [(text, kind) for (_, text, kind), attempt in attempts.items() if len(attempt) == len(STEPS)]
    assert {
        (value["text"], value["kind"]): sum(each["persons"] for each in line["bins"])
        for line in data["lines"]
        for value in line["breakdown"]
    } == {value: done.count(value) for value in done}
    assert len({str([(each["from_ms"], each["to_ms"]) for each in line["bins"]]) for line in data["lines"]}) == 1
    assert (await _ask(api, modelled.berlin, steps=["nothing", "such"], **asked))["lines"] == []


async def test_times_hide_the_entries_that_the_funnel_hides(
    api: httpx.AsyncClient, modelled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "utc_now", lambda: datetime(2025, 3, 12, 9, 30, tzinfo=UTC))
    asked = {"steps": STEPS, "window": "2d"}
    done: list[int] = []
    for hidden in (False, True):
        funnel = await _ask(api, modelled.berlin, kind="funnel", **asked, hide_incomplete=hidden)
        times = await _ask(api, modelled.berlin, kind="funnel_times", **asked, hide_incomplete=hidden)
        done.append(funnel["lines"][0]["steps"][-1]["persons"])
        assert sum(each["persons"] for each in times["lines"][0]["bins"]) == done[-1]
    assert done[0] > done[1] > 0


@pytest.mark.parametrize(
    ("told", "pointer", "message"),
    [
        ({"from_step": 2, "to_step": 2}, "/from_step", "it has to come before step 2"),
        ({"to_step": 4}, "/to_step", "the funnel has 3 steps"),
        ({"bin_ms": 1}, "/bin_ms", "the window would have more than 1,000 bins: make them wider"),
        ({"to_step": 0}, "/to_step", "it has to be 2 or more, not 0"),
        ({"bin_ms": 2**63}, "/bin_ms", "it has to be 31622400000 or less, not 9223372036854775808"),
        ({"bin_ms": HOUR_MS, "bins": 4}, "/bin_ms", "give bins or bin_ms, not both"),
    ],
)
async def test_times_between_no_steps_and_in_too_many_bins_are_refused(
    api: httpx.AsyncClient, modelled: Any, told: dict[str, Any], pointer: str, message: str
) -> None:
    document = {"kind": "funnel_times", **RANGE, "steps": STEPS, **told}
    headers = modelled.berlin.headers
    answer = await api.post(f"/v1/projects/{modelled.berlin.id}/query", headers=headers, json=document)
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert (error["pointer"], error["message"]) == (pointer, message)
