"""How the landing table's types, codecs, sort key and partitions compare, on events as the shipper sends them.

Every variant differs from the chosen table (the one that `core/warehouse/migrations/0001_landing.sql` makes) in one
thing. They take turns insert by insert, in one engine. What is measured is the processor's time in all threads, which
other work on the machine hardly changes; merges are held back until they are measured on their own.

    python bench/storage.py
"""

import random
import re
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import chdb
import msgspec
from clickhouse_migrations.substitution import substitute
from msgspec import Raw
from report import Report, parse_options

from core.events import LandedEvent
from core.warehouse.migrate import MIGRATIONS, Layout

START_MS = 1_767_225_600_000  # 2026-01-01
PROJECTS = (1, 1, 1, 1, 2, 2, 3)
NAMES = [f"event {number}" for number in range(40)]
AGENTS = [
    f"Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}.0.0.0 Safari/537.36"
    for system in ("Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7", "X11; Linux x86_64")
    for version in range(110, 131)
]


@dataclass
class Variant:
    """A table that differs from the chosen one by what is replaced in its definition."""

    name: str
    replaced: dict[str, str] = field(default_factory=dict[str, str])
    insert_s: float = 0.0

    @property
    def table(self) -> str:
        """Its name in the engine."""
        return "t_" + re.sub(r"\W+", "_", self.name)

    def definition(self, chosen: str) -> str:
        """Return the statement that makes it; fail when what is to be replaced is not there."""
        statement = chosen.replace("raw.events", self.table)
        for pattern, replacement in self.replaced.items():
            statement, count = re.subn(pattern, replacement, statement)
            assert count, f"{self.name}: {pattern} is not in the chosen table"
        return statement


VARIANTS = [
    Variant("as chosen"),
    Variant("no codecs (LZ4)", {r" codec\([^\n]*\)(?= comment)": ""}),
    Variant("zstd level 3", {r"ZSTD\(1\)": "ZSTD(3)"}),
    Variant("instants by double delta", {r"Delta, ": "DoubleDelta, "}),
    Variant("instants without delta", {r"Delta, ": ""}),
    Variant("JSON properties", {r"(?<=properties )String[^\n]*(?= comment)": "JSON"}),
    Variant("plain event name", {r"(?<= event )LowCardinality\(String\)": "String"}),
    Variant("plain agent, batch", {r"(?<=(?:agent|ch_id) )LowCardinality\(String\)": "String"}),
    Variant("by event, then time", {r"order by \([^\n]*\)": "order by (project_id, event, received_at)"}),
    Variant("by person, then time", {r"order by \([^\n]*\)": "order by (project_id, anonymous_id, received_at)"}),
    Variant("a partition a day", {r"toYYYYMM\(": "toDate("}),
    Variant(
        "index of inserted_at",
        {r"(?<='When it reached this table.')": ", index i inserted_at type minmax granularity 1"},
    ),
    Variant("no partitions", {r"partition by [^\n]*": ""}),
]
QUERIES = {
    "newest 5 %": "inserted_at >= '{newest}'",
    "project's hour": "project_id = 2 and received_at >= '{late}'",
    "project": "project_id = 2",
}
# What the choices rest on: without them, docs/storage.md would be wrong.
GOALS = {"bytes_no_codecs_lz4": 1.6, "insert_json_properties": 1.2}


class Engine:
    """The engine in this process."""

    def __init__(self, folder: Path) -> None:
        """Open it with the settings of durability that the embedded server uses."""
        config = folder / "config.xml"
        config.write_text(
            "<clickhouse><merge_tree><fsync_after_insert>1</fsync_after_insert>"
            "<fsync_part_directory>1</fsync_part_directory></merge_tree></clickhouse>"
        )
        self.handle: Any = chdb.connect(f"{folder}/data?config-file={config}")

    def close(self) -> None:
        """Let go of the directory."""
        self.handle.close()

    def run(self, sql: str) -> list[list[Any]]:
        """Return the rows of a query."""
        result = self.handle.query(sql, "JSONCompactEachRow")
        return [msgspec.json.decode(line) for line in (result.bytes() or b"").splitlines()]

    def insert(self, table: str, lines: bytes) -> float:
        """Return the processor seconds of one insert."""
        started = time.process_time()
        with self.handle.send_insert(f"insert into {table}", "JSONEachRow") as inserter:
            inserter.append(lines)
            inserter.finish()
        return time.process_time() - started

    def cost(self, sql: str, times: int = 1) -> float:
        """Return the least processor seconds that a query takes."""
        found: list[float] = []
        for _ in range(times):
            started = time.process_time()
            self.run(sql)
            found.append(time.process_time() - started)
        return min(found)


def chosen_definition() -> str:
    """Return the statement of the migration that makes `raw.events`."""
    script = (MIGRATIONS / "0001_landing.sql").read_text()
    rendered = substitute(script, Layout().variables, "0001_landing.sql")
    return rendered.split(";\n")[0]


def batch(number: int, rows: int, generator: random.Random) -> bytes:
    """Return the lines of one segment: events of about 600 bytes, as a browser SDK sends them."""
    events: list[LandedEvent] = []
    for index in range(rows):
        received_ms = START_MS + number * 600_000 + index * 600_000 // rows
        person = generator.randrange(20_000)
        agent = AGENTS[person % len(AGENTS)]
        page = f"https://shop.example/catalog/{generator.randrange(2000)}"
        context = {
            "library": {"name": "analytics.js", "version": "2.11.1"},
            "page": {
                "url": page,
                "path": page[20:],
                "title": f"Product {page[-3:]}",
                "referrer": "https://example.org/",
            },
            "locale": ("en-US", "de-DE", "fr-FR")[person % 3],
            "screen": {"width": 1280 + person % 5 * 160, "height": 800},
        }
        properties = {
            "sku": f"SKU-{generator.randrange(5000):05}",
            "price": generator.randrange(100_000) / 100,
            "quantity": 1 + generator.randrange(3),
            "category": ("shoes", "shirts", "hats", "bags")[generator.randrange(4)],
            "position": generator.randrange(60),
        }
        events.append(
            LandedEvent(
                project_id=generator.choice(PROJECTS),
                message_id=f"{generator.getrandbits(128):032x}",
                type="track",
                event=NAMES[min(generator.randrange(40), generator.randrange(40))],
                anonymous_id=f"{person * 2654435761 % 2**32:08x}-4b1d-4c3a-9f6e-{person:012x}",
                user_id=f"user-{person}" if person % 4 == 0 else "",
                session_id=f"{person:x}-{number // 3}",
                timestamp=(received_ms - generator.randrange(3000)) / 1000,
                original_timestamp=(received_ms - generator.randrange(3000)) / 1000,
                sent_at=(received_ms - 200) / 1000,
                received_at=received_ms / 1000,
                sequence=index % 20,
                properties=Raw(msgspec.json.encode(properties)),
                context=Raw(msgspec.json.encode(context)),
                ip=f"203.0.{person % 200}.{person % 251}",
                user_agent=agent,
                protocol="segment",
                library="analytics.js/2.11.1",
                write_key_id=1,
                batch_id=f"{received_ms // 600_000:013}-0123456789abcdef",
            )
        )
    return msgspec.json.Encoder().encode_lines(events)


def main() -> int:
    """Fill every variant, measure it, print the table."""
    options = parse_options(__doc__ or "")
    batches, rows = (8, 5_000) if options.quick else (24, 20_000)
    generator = random.Random(1)
    chosen = chosen_definition()
    with tempfile.TemporaryDirectory() as folder, closing(Engine(Path(folder))) as engine:
        for variant in VARIANTS:
            engine.run(variant.definition(chosen))
            engine.run(f"system stop merges {variant.table}")
        size = 0
        for number in range(batches):
            lines = batch(number, rows, generator)
            size += len(lines)
            for variant in VARIANTS if number % 2 else reversed(VARIANTS):
                variant.insert_s += engine.insert(variant.table, lines)
        report = Report(
            f"{batches} inserts of {rows} events, {size // (batches * rows)} bytes of JSON each; processor time",
            ("variant", "insert us/row", "merge us/row", "bytes/row", *(f"{name} ms" for name in QUERIES)),
        )
        late = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(START_MS / 1000 + (batches - 6) * 600))
        chosen_bytes = 0.0
        for variant in VARIANTS:
            engine.run(f"system start merges {variant.table}")
            merge_s = engine.cost(f"optimize table {variant.table} final")
            sql = "select sum(bytes_on_disk) / sum(rows) from system.parts where active and table = '{}'"
            ((on_disk,),) = engine.run(sql.format(variant.table))
            ((newest,),) = engine.run(f"select toString(quantileExact(0.95)(inserted_at)) from {variant.table}")
            read = [
                engine.cost(f"select sum(ignore(*)) from {variant.table} where {condition}", 7)
                for condition in (query.format(late=late, newest=newest) for query in QUERIES.values())
            ]
            per_row = 1_000_000 / (batches * rows)
            costs = (f"{variant.insert_s * per_row:.1f}", f"{merge_s * per_row:.1f}", f"{on_disk:.1f}")
            report.row(variant.name, *costs, *(f"{seconds * 1000:.0f}" for seconds in read))
            chosen_bytes = chosen_bytes or on_disk
            name = re.sub(r"\W+", "_", variant.name).strip("_").lower()
            # Above 1 the chosen table is cheaper or smaller than this one.
            report.ratio(f"insert_{name}", variant.insert_s / VARIANTS[0].insert_s, GOALS.get(f"insert_{name}"))
            report.ratio(f"bytes_{name}", on_disk / chosen_bytes, GOALS.get(f"bytes_{name}"))
    return report.finish(options)


if __name__ == "__main__":
    sys.exit(main())
