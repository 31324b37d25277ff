"""What the embedded server's HTTP costs over chDB called in-process: SELECT 1, inserts, a streamed result.

Both sides have the same engine and the same engine settings (fsync on insert), each in a process of its own, because a
process owns one engine. They take turns, and the ratio is the median over the turns of served to direct, so that
whatever else the machine does in a turn weighs on both.

    python bench/embedded_clickhouse.py --check
"""

import statistics
import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from engine_sides import Engine, Served
from report import Report, parse_options


@dataclass(frozen=True)
class Load:
    """How much one turn measures."""

    turns: int
    selects: int
    insert_rows: int
    stream_rows: int


FULL = Load(turns=21, selects=1000, insert_rows=300_000, stream_rows=1_000_000)
QUICK = Load(turns=5, selects=300, insert_rows=100_000, stream_rows=300_000)


@contextmanager
def both_sides() -> Generator[tuple[Engine, Served]]:
    """Start the engine alone and the server, each with an empty directory, and end both."""
    with tempfile.TemporaryDirectory() as folder:
        for side in ("direct", "served"):
            (Path(folder) / side).mkdir()
        engine = Engine(Path(folder) / "direct")
        try:
            served = Served(Path(folder) / "served")
            try:
                yield engine, served
            finally:
                served.close()
        finally:
            engine.close()


def take_turns(turns: int, direct: Callable[[], float], served: Callable[[], float]) -> tuple[float, float, float]:
    """Return the median seconds of both sides and the median ratio of their speeds, after a turn to warm up."""
    direct()
    served()
    pairs = [(direct(), served()) for _ in range(turns)]
    return (
        statistics.median(pair[0] for pair in pairs),
        statistics.median(pair[1] for pair in pairs),
        statistics.median(pair[0] / pair[1] for pair in pairs),
    )


@dataclass(frozen=True)
class Comparison:
    """One line of the table: `amount` of `unit` per turn on either side, and the least ratio that is good enough."""

    name: str
    what: str
    unit: str
    amount: float
    goal: float
    direct: Callable[[], float]
    served: Callable[[], float]


def comparisons(load: Load, engine: Engine, served: Served) -> Generator[Comparison]:
    """Yield what is compared, each with its data made just before."""
    yield Comparison(
        name="select_1",
        what="SELECT 1, one connection",
        unit="queries/s",
        amount=load.selects,
        goal=0.5,
        direct=lambda: engine.call("select_one", load.selects),
        served=lambda: served.select_one(load.selects),
    )
    for name, label, goal in (("json_insert", "JSONEachRow", 0.75), ("native_insert", "Native", 0.95)):
        data: bytes = engine.call("rows", load.insert_rows, label)
        engine.call("keep", data)
        yield Comparison(
            name=name,
            what=f"{label} insert",
            unit="rows/s",
            amount=load.insert_rows,
            goal=goal,
            direct=partial(engine.call, "insert", label),
            served=partial(served.insert, label, data),
        )
    engine.call("store", load.stream_rows)
    served.store(load.stream_rows)
    size: int = engine.call("stream")[1]
    assert served.stream()[1] >= size, "the server left something out"
    yield Comparison(
        name="native_stream",
        what="Native stream",
        unit="MB/s",
        amount=size / 1e6,
        goal=0.7,
        direct=lambda: engine.call("stream")[0],
        served=lambda: served.stream()[0],
    )


def measure(load: Load) -> Report:
    """Run every comparison and return the table with its goals."""
    report = Report("Embedded ClickHouse: HTTP against chDB called directly", ("", "direct", "served", "ratio", "goal"))
    with both_sides() as (engine, served):
        for one in comparisons(load, engine, served):
            direct_s, served_s, ratio = take_turns(load.turns, one.direct, one.served)
            speeds = (f"{one.amount / seconds:,.0f} {one.unit}" for seconds in (direct_s, served_s))
            report.row(one.what, *speeds, f"{ratio:.2f}", f"{one.goal:.2f}")
            report.ratio(one.name, ratio, one.goal)
    return report


def main() -> int:
    """Measure and judge."""
    options = parse_options("Compare the embedded ClickHouse server with chDB called directly.")
    return measure(QUICK if options.quick else FULL).finish(options)


if __name__ == "__main__":
    sys.exit(main())
