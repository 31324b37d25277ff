"""What the models cost: from nothing, and when a thousandth of the events is new.

    python bench/models.py [--check] [--json FILE] [--quick]

Starts the embedded engines on an empty directory, lands a year of made-up events and runs dbt: from nothing, again
without anything new, and after a thousandth of the events arrived, one in twenty of them late. Times of dbt's own start
are told apart, because they do not grow.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import history
import report
from clickhouse_connect.driver.client import Client
from instance import ROOT, engines

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
    subprocess.run(
        [
            *(str(Path(sys.executable).with_name("dbt")), "--quiet", "build"),
            *("--exclude-resource-type", "test", "--exclude-resource-type", "unit_test"),
            *("--project-dir", str(ROOT / "dbt_project"), "--profiles-dir", str(ROOT / "dbt_project")),
            *("--target-path", str(target), "--log-path", str(target)),
        ],
        env=os.environ | instance.variables | {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false"},
        check=True,
    )
    took = time.perf_counter() - began
    results = json.loads((target / "run_results.json").read_bytes())
    models = results["elapsed_time"]
    slowest = sorted(results["results"], key=lambda result: -result["execution_time"])[:6]
    named = ", ".join(f"{result['unique_id'].split('.')[2]} {result['execution_time']:.1f}" for result in slowest)
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
