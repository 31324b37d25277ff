"""What the insights cost, beside the straightforward queries over a table as PostHog keeps it.

    python bench/insights.py [--check] [--json FILE] [--quick]

Starts the embedded engines on an empty directory, lands a year of made-up events (20 million of a million persons; the
variable EVENTS says how many), builds the models, and copies the same events into a table as PostHog keeps it: peer.py.
Then each question is asked of both in turn, with the cache of files warm: ours as the API asks it, with bound values,
theirs as one writes it from their schema. Both must give the same rows. The goals are for 20 million events: with
fewer, both sides spend their time on reading the query.
"""

import itertools
import math
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import history
import peer
import report
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.query import QueryResult
from instance import ROOT, build_models, engines

from api.insights.macros import InsightMacros
from core.insights.marts import DEFINITIONS, write_marts

P95_GOAL_MS = 300
_GOAL_EVENTS = 20_000_000
_PATIENCE_MS = 60_000
_SIZES = """
select database, table, sum(bytes_on_disk) as bytes
from system.parts
where active and database in ('raw', 'staging', 'marts', 'intermediate', 'peer')
group by database, table
having bytes > 0
order by database, bytes desc
"""
# The three months before the last event, and the calendar of the made-up project.
PARAMETERS = {
    "project_id": 1,
    "start": "2025-09-30 22:00:00.000",
    "end": "2025-12-31 23:00:00.000",
    "timezone": history.ZONE,
    "now": "2026-02-01 00:00:00.000",
    "event": "product_view",
    "window_ms": 14 * 86_400_000,
    "periods": 14,
}
_PLANS = "agg_plans_daily"
_PLANS_DEFINITION = "kind: rollup\ndescription: Events by plan.\nby: [{name: plan, property: plan}]\n"
_STEPS = ["product_view", "add_to_cart", "checkout", "purchase"]
_SETTINGS = {"max_threads": 2}
_PROJECT = "{project_id:UInt32}"
_EVENT = "event = {event:String}"
_CALENDAR = {
    "start": "{start:DateTime64(3, 'UTC')}",
    "end": "{end:DateTime64(3, 'UTC')}",
    "interval": "day",
    "timezone": "{timezone:String}",
}
_DATE = "toDate(bucket, {timezone:String})"
_NOW = {"now": "{now:DateTime64(3, 'UTC')}"}


@dataclass(frozen=True)
class Question:
    """One insight in both shapes; `goal` is how many times faster ours is to be, `is_exact` whether theirs is right."""

    name: str
    ours: str
    theirs: str
    goal: float | None = None
    parameters: dict[str, Any] = field(default_factory=dict[str, Any])
    is_exact: bool = True


@dataclass(frozen=True)
class Timed:
    """How long one query took, in milliseconds, and what it read."""

    rows: list[tuple[Any, ...]]
    p50: float
    p95: float
    read_rows: int
    read_bytes: int


def main() -> int:
    """Measure, print and judge."""
    options = report.parse_options("Time insights beside the queries of a PostHog-like table.")
    events = int(os.environ.get("EVENTS", "1000000" if options.quick else "20000000"))
    rounds = 3 if options.quick else 9
    columns = ("question", "ours p50", "p95", "theirs p50", "p95", "times", "rows read", "MB", "theirs", "MB")
    table = report.Report(f"Insights over {events:,} events, in milliseconds", columns)
    with engines() as (instance, client), tempfile.TemporaryDirectory() as target:
        history.make_history(client, events=events)
        seconds = build_models(instance, Path(target) / "target", project=_project(Path(target) / "project"))
        peer.make_peer(client)
        for name in ("fct_events", "agg_events_daily", "agg_persons_daily", "agg_breakdowns_daily", _PLANS):
            client.command(f"optimize table marts.{name} final")
        for question in _questions():
            goal = question.goal if events >= _GOAL_EVENTS else None
            _judge(table, question, goal, *_race(client, question, rounds))
        _weigh(client, events, seconds)
    return table.finish(options)


def _project(folder: Path) -> Path:
    """Return a copy of the dbt project with a rollup that an analyst has defined."""
    shutil.copytree(ROOT / "dbt_project", folder, ignore=shutil.ignore_patterns("target", "logs"))
    (folder / DEFINITIONS / f"{_PLANS}.yml").write_text(_PLANS_DEFINITION)
    write_marts(folder)
    return folder


def _questions() -> list[Question]:
    macros = InsightMacros(ROOT / "dbt_project" / "macros" / "events", ROOT / "dbt_project" / "macros" / "insights")
    days, persons, facts = "marts.agg_events_daily", "marts.agg_persons_daily", "marts.fct_events"

    def activity(relation: str, condition: str = "true", **bounds: Any) -> str:
        calendar = {name: _CALENDAR[name] for name in ("interval", "timezone")}
        rendered = macros.render(
            "insights_activity_of_days",
            relation=relation,
            project=_PROJECT,
            condition=condition,
            **calendar,
            **bounds,
        )
        return f"({rendered})"

    def bounded(relation: str, condition: str = "true", **more: Any) -> str:
        return activity(relation, condition, start=_CALENDAR["start"], end=_CALENDAR["end"], **more)

    def trailing(days: int) -> str:
        rendered = macros.render(
            "insights_active_persons",
            activity=bounded(persons, before=str(days - 1)),
            trailings=f"[{days}]",
            **_CALENDAR,
            **_NOW,
        )
        return f"select {_DATE} as day, persons from ({rendered}) order by day"

    def trend(measure: str, column: str, relation: str) -> str:
        rendered = macros.render(
            "insights_trends",
            relation=relation,
            project=_PROJECT,
            series=[{"condition": _EVENT, "measure": measure}],
            breakdown=[column],
            rolled=relation != facts,
            **_CALENDAR,
        )
        return (
            f"select {_DATE} as day, breakdown_1, toUInt64(a) from ({rendered}) where a > 0 order by day, breakdown_1"
        )

    retention = macros.render(
        "insights_retention_of_activity",
        starts=activity(persons),
        returns=activity(persons, start=_CALENDAR["start"]),
        start=_CALENDAR["start"],
        end=_CALENDAR["end"],
        timezone=_CALENDAR["timezone"],
        period="day",
        periods="{periods:UInt16}",
        **_NOW,
    )
    lifecycle = macros.render(
        "insights_lifecycle", activity=activity(persons, end=_CALENDAR["end"]), **_CALENDAR, **_NOW
    )
    stickiness = macros.render("insights_stickiness", activity=bounded(days, _EVENT), **_CALENDAR)
    funnel = macros.render(
        "insights_funnel",
        relation=facts,
        project=_PROJECT,
        steps=[f"event = {{step_{number}:String}}" for number in range(1, len(_STEPS) + 1)],
        start=_CALENDAR["start"],
        end=_CALENDAR["end"],
        window_ms="{window_ms:UInt64}",
        actor="person_number",
        disjoint=True,
    )
    names = macros.render(
        "insights_event_names_of_days",
        relation=days,
        project=_PROJECT,
        **{name: _CALENDAR[name] for name in ("start", "end", "timezone")},
    )
    series = macros.render(
        "insights_timeseries_of_rollup",
        relation=persons,
        project=_PROJECT,
        condition="true",
        measure="events",
        **_CALENDAR,
    )
    members = (
        f"select groupBitmapMerge(persons) as persons from {days} where project_id = {_PROJECT} and {_EVENT}"
        " and event_date >= toDate32({start:DateTime64(3, 'UTC')}, {timezone:String})"
        " and event_date < toDate32({end:DateTime64(3, 'UTC')}, {timezone:String})"
    )
    plans = ("plan", f"marts.{_PLANS}")
    countries = ("value", "(select * from marts.agg_breakdowns_daily where dimension = 'country')")
    products = ("JSONExtractString(properties, 'product_id')", facts)
    return [
        Question("event names", names, peer.EVENT_NAMES),
        Question("events a day", f"select {_DATE} as day, value from ({series}) order by day", peer.TOTAL),
        Question("DAU", trailing(1), peer.DAILY_ACTIVE, 20),
        Question("WAU", trailing(7), peer.TRAILING, 20, {"trailing": 7}),
        Question("MAU", trailing(30), peer.TRAILING, 20, {"trailing": 30}),
        Question(
            "retention, 14 days",
            f"select toDate(cohort, {{timezone:String}}) as day, period_index, persons from ({retention})"
            " where persons > 0 order by day, period_index",
            peer.RETENTION,
            20,
        ),
        Question(
            "lifecycle",
            f"select {_DATE} as day, new_persons, returning_persons, resurrecting_persons, dormant_persons"
            f" from ({lifecycle}) order by day",
            peer.LIFECYCLE,
            20,
        ),
        Question(
            "stickiness",
            f"select buckets, persons from ({stickiness}) where persons > 0 order by buckets",
            peer.STICKINESS,
            20,
        ),
        Question("members of a cohort", members, peer.COHORT, 20),
        Question("trend by plan", trend("events", *plans), peer.breakdown("mat_plan", unique=False), 5),
        Question("persons by plan", trend("actors", *plans), peer.breakdown("mat_plan", unique=True), 5),
        Question("trend by country", trend("events", *countries), peer.breakdown("mat_country", unique=False), 5),
        Question("persons by country", trend("actors", *countries), peer.breakdown("mat_country", unique=True), 5),
        # What no rollup knows is asked of the events, by both.
        Question("persons by product", trend("actors", *products), peer.breakdown("mat_product", unique=True)),
        Question(
            "funnel of 4 steps",
            f"select groupArray(persons) from ({funnel})",
            peer.funnel(_STEPS),
            3,
            {f"step_{number}": name for number, name in enumerate(_STEPS, start=1)},
            # windowFunnel follows one attempt at a time, and misses some who convert in a later one.
            is_exact=False,
        ),
    ]


def _race(client: Client, question: Question, rounds: int) -> tuple[Timed, Timed]:
    """Ask both in turn, after a first time that counts for neither."""
    parameters = PARAMETERS | question.parameters
    sides = (question.ours, question.theirs)
    took: tuple[list[float], list[float]] = ([], [])
    answers: list[Any] = [None, None]
    for turn in range(rounds + 1):
        for side, sql in enumerate(sides):
            began = time.perf_counter()
            answers[side] = client.query(sql, parameters=parameters, settings=_SETTINGS)
            if turn:
                took[side].append((time.perf_counter() - began) * 1000)
            # What takes minutes is not asked nine times.
            if sum(took[side]) > _PATIENCE_MS:
                return _timed(answers[0], took[0]), _timed(answers[1], took[1])
    return _timed(answers[0], took[0]), _timed(answers[1], took[1])


def _timed(answer: QueryResult, took: list[float]) -> Timed:
    ordered = sorted(took)
    summary = answer.summary
    return Timed(
        rows=[tuple(_plain(value) for value in row) for row in answer.result_rows],
        p50=statistics.median(ordered),
        p95=ordered[max(0, math.ceil(0.95 * len(ordered)) - 1)],
        read_rows=int(summary["read_rows"]),
        read_bytes=int(summary["read_bytes"]),
    )


def _plain(value: Any) -> Any:
    """Make values of both sides comparable: instants in UTC, a list as its members."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return tuple(value) if isinstance(value, list) else value


def _judge(table: report.Report, question: Question, goal: float | None, ours: Timed, theirs: Timed) -> None:
    flat = [tuple(row[0]) if len(row) == 1 and isinstance(row[0], tuple) else row for row in ours.rows]
    if flat != theirs.rows:
        different = [pair for pair in itertools.zip_longest(flat, theirs.rows) if pair[0] != pair[1]]
        print(f"{question.name}: {len(different)} rows differ, the first: {different[0]}", flush=True)
    name = question.name.replace(" ", "_").replace(",", "")
    table.row(
        question.name,
        *(f"{milliseconds:,.0f}" for milliseconds in (ours.p50, ours.p95, theirs.p50, theirs.p95)),
        f"{theirs.p50 / ours.p50:.1f}",
        f"{ours.read_rows:,}",
        f"{ours.read_bytes / 1e6:,.1f}",
        f"{theirs.read_rows:,}",
        f"{theirs.read_bytes / 1e6:,.1f}",
    )
    print(table.rows[-1], flush=True)
    if question.is_exact:
        table.ratio(f"{name}_same_rows", float(flat == theirs.rows), goal=1)
    table.ratio(f"{name}_times", theirs.p50 / ours.p50, goal=goal)
    table.ratio(f"{name}_p95_headroom", P95_GOAL_MS / ours.p95, goal=1)


def _weigh(client: Client, events: int, seconds: Mapping[str, float]) -> None:
    """Print what everything weighs, and what it took to build."""
    sizes = report.Report("Storage", ("table", "bytes an event", "built in"))
    for database, name, size in client.query(_SIZES).result_rows:
        took = seconds.get(name)
        sizes.row(f"{database}.{name}", f"{size / events:.2f}", "" if took is None else f"{took:.1f} s")
    print(sizes.render(), end="\n\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
