"""Trend, funnel and retention asked by a document, against the slow reference over the same events."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from engine.api_events import PLANS, counted, country_in, plan_of, team_of, total_of
from engine.zones import ZONES
from reference import retention as retentions
from reference import trends
from reference.calendar_buckets import bucket_start
from reference.events import Counted
from reference.funnel import Exclusion, Funnel, counted_attempts
from reference.funnel_figures import funnel_steps, top_values

FIRST, END = date(2025, 3, 3), date(2025, 4, 7)
RANGE = {"from": str(FIRST), "to": str(END)}
ODD_NAME = 'it\'s "odd" {event:String} -- \\ \t\n%20 💶'
ODD_PLAN = PLANS[-1]
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(params=ZONES)
def project(request: pytest.FixtureRequest, modelled: Any) -> Any:
    """Return each project in turn: clocks set forward on different days, weeks from Sunday, an offset of 5:45."""
    return getattr(modelled, request.param)


async def _ask(api: httpx.AsyncClient, project: Any, **document: Any) -> Any:
    answer = await api.post(f"/v1/projects/{project.id}/query", headers=project.headers, json=RANGE | document)
    assert answer.status_code == 200, answer.text
    assert answer.json()["kind"] == document["kind"]
    return answer.json()


def _span(project: Any) -> dict[str, Any]:
    zone = ZoneInfo(project.timezone)
    return {"start": bucket_start(FIRST, zone), "end": bucket_start(END, zone), "zone": zone}


def _named(*names: str) -> Callable[[Counted], bool]:
    return lambda event: not names or event.event in names


def _size(event: Counted) -> float:
    return float(event.properties["size"])


SERIES: list[tuple[dict[str, Any], trends.Series]] = [
    ({"name": "all_of_it"}, trends.Series(_named(), "events")),
    ({"name": "buyers", "event": "purchase", "measure": "persons"}, trends.Series(_named("purchase"), "actors")),
    ({"name": "visits", "measure": "sessions"}, trends.Series(_named(), "sessions")),
    (
        {"name": "odd", "event": [ODD_NAME, "cart"], "measure": "events_per_person"},
        trends.Series(_named(ODD_NAME, "cart"), "events_per_actor"),
    ),
    (
        {"name": "middle", "event": "cart", "measure": "median", "of": {"property": "total"}},
        trends.Series(_named("cart"), "median", total_of),
    ),
    (
        {
            "name": "chosen",
            "measure": "sum",
            "of": {"property": ["cart", "size"]},
            "where": [
                {
                    "any": [
                        {"property": "plan", "value": ODD_PLAN},
                        {"property": "total", "operator": "gt", "value": 50},
                    ]
                },
                {"none": [{"trait": "team", "value": "red"}]},
            ],
        },
        trends.Series(
            lambda event: (plan_of(event) == ODD_PLAN or total_of(event) > 50) and team_of(event) != "red", "sum", _size
        ),
    ),
]


@pytest.mark.parametrize("interval", ["hour", "day", "week", "month", "total"])
async def test_a_trend_measures_what_its_buckets_hold(api: httpx.AsyncClient, project: Any, interval: str) -> None:
    asked = {"total": True} if interval == "total" else {"interval": interval}
    answer = await _ask(api, project, kind="trend", series=[series for series, _ in SERIES], **asked)
    question = trends.Question(
        [series for _, series in SERIES], interval=interval, week_start=project.week_start, **_span(project)
    )
    assert _points(answer) == _expected(project, question, [series["name"] for series, _ in SERIES])


@pytest.mark.parametrize(
    ("subject", "value"),
    [
        ({"property": "plan"}, plan_of),
        ({"column": "country"}, country_in),
        ({"trait": "team"}, team_of),
    ],
)
async def test_a_breakdown_shows_the_largest_values_the_missing_one_and_the_rest(
    api: httpx.AsyncClient, project: Any, subject: Any, value: Any
) -> None:
    series = [{"name": "buyers", "event": ["purchase", "cart"], "measure": "persons"}]
    answer = await _ask(api, project, kind="trend", series=series, interval="week", breakdown=[subject], top=2)
    question = trends.Question(
        [trends.Series(_named("purchase", "cart"), "actors")],
        interval="week",
        week_start=project.week_start,
        breakdown=[value],
        top=2,
        **_span(project),
    )
    assert _points(answer) == _expected(project, question, ["buyers"])
    kinds = {each["kind"] for line in answer["data"]["lines"] for each in line["breakdown"]}
    assert "other" in kinds or subject == {"trait": "team"}


@pytest.mark.parametrize(
    ("asked", "shape"),
    [
        ({"compare": "previous"}, {"compare": "previous"}),
        ({"compare": "previous", "breakdown": [{"property": "plan"}]}, {"compare": "previous", "breakdown": [plan_of]}),
        ({"moving_average": 3}, {"moving_average": 3}),
        ({"cumulative": True}, {"cumulative": True}),
        ({"trailing": 7}, {"trailing": 7}),
    ],
)
@pytest.mark.parametrize("where", [[], [{"property": "total", "operator": "gte", "value": 0}]])
async def test_a_trend_looks_back_and_compares_off_rollups_and_events_alike(
    api: httpx.AsyncClient, project: Any, asked: dict[str, Any], shape: dict[str, Any], where: list[Any]
) -> None:
    asked, shape = dict(asked), dict(shape)
    trailing = {"trailing": asked.pop("trailing", 1)}
    shape.pop("trailing", None)
    series = [
        {"name": "carts", "event": "cart", "where": where},
        {"name": "users", "measure": "persons", "where": where} | trailing,
    ]
    answer = await _ask(api, project, kind="trend", series=series, **asked)
    is_rolled = not where and "breakdown" not in asked
    assert answer["meta"]["sources"] == [f"{_database(answer)}.{'agg_events_daily' if is_rolled else 'fct_events'}"]
    measured = [trends.Series(_named("cart"), "events"), trends.Series(_named(), "actors", **trailing)]
    question = trends.Question(measured, interval="day", week_start=project.week_start, **_span(project) | shape)
    assert _points(answer) == _expected(project, question, ["carts", "users"])


@pytest.mark.parametrize(
    ("first", "last", "interval", "complete"),
    [
        ("2025-03-05", "2025-03-19", "week", [False, True, False]),
        # Over a clock change, and by hours that are no calendar's.
        ("2025-03-12", "2025-04-02", "week", [False, True, True, False]),
        ("2025-03-05T10:17:00Z", "2025-03-07T10:17:00Z", "day", [False, True, False]),
        ("2025-03-01", "2025-05-01", "month", [True, True]),
        ("2025-03-10", "2025-03-24", "day", [True] * 14),
    ],
)
async def test_a_bucket_that_the_previous_period_cuts_is_not_complete(
    api: httpx.AsyncClient, project: Any, *, first: str, last: str, interval: str, complete: list[bool]
) -> None:
    asked = {"kind": "trend", "from": first, "to": last, "interval": interval, "compare": "previous"}
    answer = await api.post(
        f"/v1/projects/{project.id}/query", headers=project.headers, json=asked | {"series": [{"name": "users"}]}
    )
    for line in answer.json()["data"]["lines"]:
        assert [point["is_complete"] for point in line["points"]] == complete, line["period"]


async def test_a_formula_divides_and_has_no_value_where_it_cannot(api: httpx.AsyncClient, modelled: Any) -> None:
    series = [{"name": "carts", "event": "cart"}, {"name": "odd", "event": ODD_NAME}]
    formulas = [{"name": "share", "formula": "A / B * 100"}]
    answer = await _ask(api, modelled.berlin, kind="trend", series=series, formulas=formulas)
    for point in answer["data"]["lines"][0]["points"]:
        carts, odd, share = (point["figures"][name] for name in ("carts", "odd", "share"))
        assert share == (pytest.approx(carts / odd * 100) if odd else None)


def _has_odd_plan(event: Counted) -> bool:
    return plan_of(event) == ODD_PLAN


def _is_chosen_cart(event: Counted) -> bool:
    return event.event == "cart" and plan_of(event) in {"pro", ODD_PLAN}


FUNNELS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        {"steps": ["catalog", "product_view", "cart"]},
        {"steps": [_named("catalog"), _named("product_view"), _named("cart")]},
    ),
    (
        {"steps": ["cart", {"where": [{"property": "plan", "value": ODD_PLAN}]}, ODD_NAME], "order": "unordered"},
        {"steps": [_named("cart"), _has_odd_plan, _named(ODD_NAME)], "order": "unordered"},
    ),
    (
        {"steps": ["cart", "cart"], "order": "strict", "attempts": "first", "window": "2d"},
        {"steps": [_named("cart")] * 2, "order": "strict", "attempts": "first", "window": timedelta(days=2)},
    ),
    (
        {
            "steps": ["catalog", "purchase"],
            "exclude": [{"event": "cart", "effect": "drop_attempt"}],
            "hold_constant": [{"trait": "team"}],
            "tie_grace_ms": 1500,
        },
        {
            "steps": [_named("catalog"), _named("purchase")],
            "exclusions": [Exclusion(_named("cart"), 1, 2, "drop_attempt")],
            "held": [team_of],
            "grace": timedelta(milliseconds=1500),
        },
    ),
    (
        {"steps": ["catalog", "cart"], "breakdown": {"property": "plan", "top": 3, "attribution": "last"}},
        {"steps": [_named("catalog"), _named("cart")], "breakdown": plan_of, "attribution": "last"},
    ),
    (
        {"steps": ["catalog", "cart"], "breakdown": {"trait": "team", "attribution": 2}},
        {"steps": [_named("catalog"), _named("cart")], "breakdown": team_of, "attribution": 2},
    ),
]


@pytest.mark.parametrize(("asked", "shape"), FUNNELS)
async def test_a_funnel_counts_each_persons_attempt(
    api: httpx.AsyncClient, project: Any, asked: dict[str, Any], shape: dict[str, Any]
) -> None:
    answer = await _ask(api, project, kind="funnel", **asked)
    span = _span(project)
    window = shape.get("window", timedelta(days=14))
    funnel = Funnel(**{"window": window, "start": span["start"], "end": span["end"]} | shape)
    attempts = top_values(counted_attempts(counted(project.events), funnel), asked.get("breakdown", {}).get("top", 10))
    by_value: dict[tuple[str, str], list[Any]] = {}
    for (_, text, kind), attempt in attempts.items():
        by_value.setdefault((text, kind), []).append(attempt)
    found = {
        tuple((each["text"], each["kind"]) for each in line["breakdown"]): line for line in answer["data"]["lines"]
    }
    if "breakdown" not in asked:
        # No value tells them apart.
        [everybody] = by_value.values()
        expected_lines: dict[Any, list[Any]] = {(): everybody}
    else:
        expected_lines = {(key,): own for key, own in by_value.items()}
    assert set(expected_lines) == set(found)
    for key, own in expected_lines.items():
        line = found[key]
        expected = funnel_steps(own, len(asked["steps"]), window, now=NOW)
        assert [(step["persons"], step["lost_persons"]) for step in line["steps"]] == [
            (row.persons, row.lost) for row in expected
        ]
        for step, row in zip(line["steps"], expected, strict=True):
            times = [step[name] for name in ("average_ms", "median_ms", "p90_ms")]
            if row.waited is None:
                assert times == [None] * 3
            else:
                assert times == pytest.approx([row.waited[name] for name in ("avg", "median", "p90")])
            assert step["conversion_from_first"] == pytest.approx(row.persons / expected[0].persons)
    assert sum(line["steps"][0]["persons"] for line in found.values()) > 0


RETENTIONS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"period": "day"}, {}),
    (
        {"period": "week", "start": "catalog", "returning": "cart"},
        {"starts": _named("catalog"), "returns": _named("cart")},
    ),
    ({"period": "month", "return_rule": "on_or_after"}, {"rule": "on_or_after"}),
    ({"period": "week", "cohort": "recurring"}, {"cohort": "recurring"}),
    ({"period": "day", "clock": "rolling"}, {"clock": "rolling"}),
    (
        {"period": "day", "return_rule": "brackets", "brackets": [[1, 2], [3, 9]]},
        {"rule": "brackets", "brackets": [(1, 2), (3, 9)]},
    ),
    (
        {"period": "hour", "start": {"event": "cart", "where": [{"property": "plan", "value": ["pro", ODD_PLAN]}]}},
        {"starts": _is_chosen_cart},
    ),
]


@pytest.mark.parametrize(("asked", "shape"), RETENTIONS)
async def test_retention_follows_those_who_started(
    api: httpx.AsyncClient, project: Any, asked: dict[str, Any], shape: dict[str, Any]
) -> None:
    answer = await _ask(api, project, kind="retention", periods=4, **asked)
    question = _retention(project, asked["period"], shape)
    cells = retentions.retention(counted(project.events), question)
    [line] = answer["data"]["lines"]
    assert _cells(line) == _of_reference(cells)
    known = retentions.averages(cells)
    assert [each["rate"] for each in line["averages"]] == [
        None if average is None else pytest.approx(average[0]) for _, average in sorted(known.items())
    ]


async def test_retention_is_told_apart_by_a_value_of_the_start(api: httpx.AsyncClient, project: Any) -> None:
    asked = {"period": "week", "start": "catalog", "breakdown": {"property": "plan", "top": 3}}
    answer = await _ask(api, project, kind="retention", periods=4, **asked)
    question = _retention(project, "week", {"starts": _named("catalog")})
    expected = retentions.retention_by_value(counted(project.events), question, plan_of, 3)
    assert [[(each["text"], each["kind"]) for each in line["breakdown"]] for line in answer["data"]["lines"]] == [
        [(series.text, series.kind)] for series in expected
    ]
    for line, series in zip(answer["data"]["lines"], expected, strict=True):
        assert _cells(line) == _of_reference([cell for cell in series.cells if cell.cohort_size])


async def test_active_persons_and_a_breakdown_are_asked_by_name(api: httpx.AsyncClient, project: Any) -> None:
    async def named(path: str, **asked: str) -> Any:
        url = f"/v1/projects/{project.id}/insights/{path}"
        answer = await api.get(url, headers=project.headers, params=RANGE | asked)
        assert answer.status_code == 200, answer.text
        return answer.json()

    active = await named("activity", event="cart")
    trailing = [trends.Series(_named("cart"), "actors", trailing=days) for days in (1, 7, 30)]
    question = trends.Question(trailing, interval="day", week_start=project.week_start, **_span(project))
    names = ["daily", "weekly", "monthly"]
    found = [[point["figures"][name] for name in names] for point in active["data"]["lines"][0]["points"]]
    assert found == [list(point.figures) for point in trends.trends(counted(project.events), question)]
    ratios = [point["figures"]["daily_of_monthly"] for point in active["data"]["lines"][0]["points"]]
    assert ratios == [pytest.approx(daily / monthly) if monthly else None for daily, _, monthly in found]
    by_plan = await named("breakdown", property="plan", event="cart", top="2")
    named_so = {"total_events": "events", "unique_persons": "persons"}
    series = [{"name": name, "measure": measure, "event": "cart"} for name, measure in named_so.items()]
    document = {"total": True, "series": series, "breakdown": [{"property": "plan"}], "top": 2}
    assert by_plan["data"] == (await _ask(api, project, kind="trend", **document))["data"]
    assert by_plan["kind"] == "trend"


def _retention(project: Any, period: str, shape: dict[str, Any]) -> retentions.Retention:
    defaults: dict[str, Any] = {"starts": _named(), "returns": _named(), "period": period, "periods": 4, "now": NOW}
    return retentions.Retention(**defaults | {"week_start": project.week_start} | _span(project) | shape)


def _cells(line: Any) -> list[tuple[datetime, int, int, int]]:
    return [
        (datetime.fromisoformat(cohort["start"]), cell["period_index"], cell["persons"], cohort["size"])
        for cohort in line["cohorts"]
        for cell in cohort["cells"]
    ]


def _of_reference(cells: list[retentions.RetentionCell]) -> list[tuple[datetime, int, int, int]]:
    return [(cell.cohort, cell.period_index, cell.persons, cell.cohort_size) for cell in cells]


def _points(answer: Any) -> list[tuple[Any, ...]]:
    return [
        (
            line["period"],
            tuple((each["text"], each["kind"]) for each in line["breakdown"]),
            datetime.fromisoformat(point["start"]),
            {name: None if value is None else pytest.approx(value) for name, value in point["figures"].items()},
        )
        for line in answer["data"]["lines"]
        for point in line["points"]
    ]


def _expected(project: Any, question: trends.Question, names: list[str]) -> list[tuple[Any, ...]]:
    def kind(point: trends.Point, place: int) -> str:
        return "other" if point.is_other else "none" if point.is_none[place] else "value"

    return [
        (
            point.period,
            tuple((value, kind(point, place)) for place, value in enumerate(point.values)),
            point.bucket,
            dict(zip(names, point.figures, strict=True)),
        )
        for point in trends.trends(counted(project.events), question)
    ]


def _database(answer: Any) -> str:
    return answer["meta"]["sources"][0].partition(".")[0]
