"""What the models cost: from nothing, and when a thousandth of the events is new.

    python bench/models.py [--check] [--json FILE] [--quick]

Starts the embedded engines on an empty directory, lands a year of made-up events and runs dbt: from nothing, again
without anything new, and after a thousandth of the events arrived, one in twenty of them late. Times of dbt's own start
are told apart, because they do not grow.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

import history
import report
from clickhouse_connect.driver.client import Client
from instance import build_models, engines

from runtime.instance import Instance

_SIZES = """
select
    sum(data_compressed_bytes) as bytes
from system.parts
where active and database = {database:String} and table = {table:String}
"""


def main() -> int:
    """Measure, print and judge."""
    options = report.parse_options("Time the models from nothing and with a thousandth of new events.")
    events = int(os.environ.get("EVENTS", "1000000" if options.quick else "20000000"))
    table = report.Report(f"Models over {events:,} events", ("what", "all", "dbt's own", "slowest"))
    with engines() as (instance, client), tempfile.TemporaryDirectory() as target:
        history.make_history(client, events=events)
        first = _measure(table, instance, Path(target), "from nothing")
        again = _measure(table, instance, Path(target), "nothing new")
        history.make_batch(client, known=events, events=events // 1000)
        second = _measure(table, instance, Path(target), f"{events // 1000:,} new events")
        _measure_sizes(table, client, events)
    table.row("a run without news, of the first", f"{again / first:.1%}", "", "")
    table.row("a run with a thousandth of news, of the first", f"{second / first:.1%}", "", "")
    table.ratio("first_run_over_second", first / second, goal=20)
    return table.finish(options)


def _measure(table: report.Report, instance: Instance, target: Path, what: str) -> float:
    """Run dbt once; return the seconds that the models took, dbt's own start aside."""
    began = time.perf_counter()
    seconds = build_models(instance, target)
    took = time.perf_counter() - began
    models = json.loads((target / "run_results.json").read_bytes())["elapsed_time"]
    slowest = sorted(seconds.items(), key=lambda model: -model[1])[:6]
    named = ", ".join(f"{name} {seconds:.1f}" for name, seconds in slowest)
    table.row(what, f"{took:.1f} s", f"{took - models:.1f} s", named)
    print(table.rows[-1], flush=True)
    return models


def _measure_sizes(table: report.Report, client: Client, events: int) -> None:
    for database, name in (
        ("raw", "events"),
        ("staging", "stg_collector__events"),
        ("marts", "fct_events"),
        ("marts", "fct_sessions"),
        ("marts", "dim_persons"),
        ("marts", "agg_events_daily"),
    ):
        size = client.query(_SIZES, parameters={"database": database, "table": name}).result_rows[0][0]
        table.row(f"{database}.{name}", f"{size / events:.1f} bytes an event", "", "")


if __name__ == "__main__":
    sys.exit(main())
