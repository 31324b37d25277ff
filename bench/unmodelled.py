"""What it costs that an answer counts what landed since the last refresh.

    python bench/unmodelled.py [--check] [--json FILE] [--quick]

Starts the embedded engines on an empty directory, models a year of made-up events, lands more of them, and asks the
same questions in turn of the models alone and with what landed, as the API renders them: the first 500 as values that
were looked up before, more of them looked up by each statement. What is told once every few seconds for all questions
of a project (which there are, or how many, and which of them repeat modelled ones) is timed apart.
"""

import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import history
import report
from clickhouse_connect.driver.client import Client
from instance import build_models, engines

from api.insights.macros import InsightMacros
from api.insights.queries import InsightSql
from api.insights.schemas import FunnelQuery, RetentionQuery, TimeseriesQuery
from api.insights.statements import Statement, Statements, Window
from api.insights.unmodelled import MOST_SESSIONS
from api.insights.unmodelled_sql import ChangedSessions, Unmodelled, UnmodelledSql, with_events
from api.queries.documents import FunnelDocument, RevenueDocument, TrendDocument, WebDocument
from api.queries.statements import QuerySql
from api.settings import ApiSettings
from api.warehouse import PLANNING
from core.warehouse import ProjectScope

_SCOPE = ProjectScope(1)
_DAYS = (date(2025, 10, 4), date(2026, 1, 2))
_RANGE = {"from": str(_DAYS[0]), "to": str(_DAYS[1])}
# A later batch lands at one instant.
_LANDED = (datetime(2026, 5, 31, tzinfo=UTC), datetime(2026, 6, 2, tzinfo=UTC))
_STEPS = ["product_view", "add_to_cart", "checkout", "purchase"]
_P95_GOAL_MS = 300


def main() -> int:
    """Measure, print and judge."""
    options = report.parse_options("Time answers with and without what landed since the last refresh.")
    events = int(os.environ.get("EVENTS", "1000000" if options.quick else "20000000"))
    rounds = 3 if options.quick else 9
    columns = ("question", "landed", "models alone p50", "p95", "with what landed p50", "p95", "times")
    table = report.Report(f"Answers over {events:,} modelled events, in milliseconds", columns)
    settings = ApiSettings.model_validate(dict.fromkeys(("clickhouse_url", "database_url", "redis_url"), "http://none"))
    macros = InsightMacros(settings.macros_dir / "events", settings.macros_dir / "insights")
    unmodelled_sql = UnmodelledSql(macros, settings)
    statements = Statements(macros, settings.marts_database, unmodelled_sql)
    sql, documents = InsightSql(statements), QuerySql(statements, {})
    with engines() as (instance, client), tempfile.TemporaryDirectory() as target:
        history.make_history(client, events=events)
        build_models(instance, Path(target))
        landed = 0
        for more in (500, 500, 99_000):
            history.make_batch(client, known=events + landed, events=more)
            landed += more
            # Nothing was looked up of user agents and addresses, which is as quick as where they are known.
            known = dict.fromkeys(("has_merges", "has_unknown_agents", "has_unknown_addresses"), False)
            found = Unmodelled(*_LANDED, landed, events=landed, **known)
            parameters = found.parameters() | {"timezone": "UTC"}
            looked_up = {
                "which repeat modelled ones": (unmodelled_sql.repeated(), parameters),
                "which there are": (unmodelled_sql.listed(found), parameters | {"most": landed + 1}),
                "how many there are": (unmodelled_sql.counted(found), parameters),
            }
            for name, asked in looked_up.items():
                took = _timed(client, rounds, *asked)
                table.row(name, f"{landed:,}", "", "", f"{took[0]:,.0f}", f"{took[1]:,.0f}", "")
            if landed <= settings.landing_listed_events:
                rows = _SCOPE.run(client, *looked_up["which there are"]).named_results()
                found = with_events(found, list(rows))
            changed = None
            if found is not None and landed <= MOST_SESSIONS:
                bound = found.parameters() | {"timezone": "UTC", "most": MOST_SESSIONS + 1}
                asked = unmodelled_sql.changed_sessions(found), bound
                took = _timed(client, rounds, *asked)
                table.row("which sessions change", f"{landed:,}", "", "", f"{took[0]:,.0f}", f"{took[1]:,.0f}", "")
                changed = ChangedSessions.of(next(iter(_SCOPE.run(client, *asked).named_results())))
            for question, statement in _questions(sql, documents).items():
                alone, beside = (statement(replace(_window(each), changed=each and changed)) for each in (None, found))
                if beside.unmodelled is None:
                    continue
                modelled = _timed(client, rounds, alone.sql, alone.parameters)
                whole = _timed(client, rounds, beside.sql, beside.parameters)
                times = modelled + whole
                table.row(question, f"{landed:,}", *(f"{took:,.0f}" for took in times), f"{whole[0] / modelled[0]:.1f}")
                print(table.rows[-1], flush=True)
                table.ratio(f"{question.replace(' ', '_')}_{landed}_p95_headroom", _P95_GOAL_MS / whole[1], goal=1)
    return table.finish(options)


def _questions(sql: InsightSql, documents: QuerySql) -> dict[str, Callable[[Window], Statement]]:
    active = TimeseriesQuery.model_validate(_RANGE | {"measure": "persons"})
    funnel = FunnelQuery.model_validate(_RANGE | {"step": _STEPS})
    returning = RetentionQuery.model_validate(_RANGE | {"period": "day", "periods": 14})
    by_plan = TrendDocument.model_validate(
        {"kind": "trend", "series": [{"name": "all_of_it"}], "breakdown": [{"property": "plan"}]} | _RANGE
    )
    paths = [{"column": "page_path", "operator": "contains", "value": f"/product/{digit}"} for digit in (1, 2)]
    steps = [{"event": "$pageview", "where": [path]} for path in paths]
    of_pages = FunnelDocument.model_validate({"kind": "funnel", "steps": steps} | _RANGE)
    by_campaign = RevenueDocument.model_validate(
        {
            "kind": "revenue",
            "orders": "purchase",
            "amount": {"property": "price"},
            "breakdown": [{"column": "utm_source"}],
            "total": True,
        }
        | _RANGE
    )
    by_country = TrendDocument.model_validate(
        {"kind": "trend", "series": [{"name": "who", "measure": "persons"}], "breakdown": [{"column": "country"}]}
        | _RANGE
    )
    web = WebDocument.model_validate({"kind": "web"} | _RANGE)
    by_channel = WebDocument.model_validate({"kind": "web", "breakdown": ["channel"], "total": True} | _RANGE)
    now = datetime(2026, 1, 2, tzinfo=UTC)
    return {
        "event names": sql.event_names,
        "persons by day": lambda window: sql.timeseries(window, active),
        "retention by day": lambda window: sql.retention(window, returning, now),
        "funnel of 4 steps": lambda window: sql.funnel(window, funnel),
        "events by a property": lambda window: documents.trend(window, by_plan, now),
        "funnel of 2 pages": lambda window: documents.funnel(window, of_pages, now),
        "revenue by campaign": lambda window: documents.revenue(window, by_campaign, now),
        "persons by country": lambda window: documents.trend(window, by_country, now),
        "visits by day": lambda window: documents.web(window, web, now),
        "visits by channel": lambda window: documents.web(window, by_channel, now),
    }


def _window(unmodelled: Unmodelled | None) -> Window:
    start, end = (datetime(day.year, day.month, day.day, tzinfo=UTC) for day in _DAYS)
    return replace(Window(start, end, "UTC", 1, _DAYS), unmodelled=unmodelled)


def _timed(client: Client, rounds: int, sql: str, parameters: dict[str, Any]) -> tuple[float, float]:
    """Return p50 and p95 in milliseconds, after a first time that does not count."""
    took: list[float] = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        _SCOPE.run(client, sql, parameters, settings=PLANNING)
        took.append((time.perf_counter() - began) * 1000)
    ordered = sorted(took[1:])
    return statistics.median(ordered), ordered[max(0, math.ceil(0.95 * len(ordered)) - 1)]


if __name__ == "__main__":
    sys.exit(main())
