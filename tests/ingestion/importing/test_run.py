"""Whole files into the real tables: counted, repeated, cut off and gone on with."""

import contextlib
import gzip
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from msgspec.json import Encoder

from core.events import LandedEvent
from ingestion.importing import run as running
from ingestion.importing.errors import UnreadableFileError, WarehouseAwayError
from ingestion.importing.exports import export
from ingestion.importing.ledger import Ledger, Progress, Run, Subject
from ingestion.importing.mapping import Mapping
from ingestion.importing.own_mapping import Document, own_mapping
from ingestion.importing.run import Import, Report, StoppedError
from ingestion.shipper.landing import Landing, UnreachableError
from ingestion.spool.records import Kind
from ingestion.write_keys import read_rules
from runtime.instance import Instance
from runtime.project_keys import ProjectKeys
from tests.ingestion.harness import landed_events, rejects
from tests.ingestion.importing.files import lines

SHOP = own_mapping(Document(name="shop", columns={"who": "userId", "what": "event", "at": "timestamp"}))


def quietly(_done: int, _size: int, _progress: Progress) -> None:
    """Tell nobody."""


@dataclass
class Place:
    """Where files are imported from, and into which project."""

    root: Path
    client: Client
    url: str
    project_id: int
    landing: Landing

    def put(self, name: str, content: bytes) -> Path:
        """Write a file."""
        path = self.root / name
        path.write_bytes(content)
        return path

    def load(
        self,
        path: Path,
        mapping: Mapping = SHOP,
        *,
        force: bool = False,
        landing: Landing | None = None,
        report: Report = quietly,
        patience_s: float = 120,
        max_unpacked_bytes: int | None = None,
        stop: Event | None = None,
        rules: bytes = b'{"addresses":"keep"}',
    ) -> tuple[Run, bool]:
        """Import a file, as a new process would."""
        subject = Subject.of(path, self.project_id, 0, path.name, mapping)
        work = Import(
            subject,
            landing or self.landing,
            Ledger(self.client, subject),
            work=self.root / "work",
            rules=read_rules(rules, b""),
            patience_s=patience_s,
            max_unpacked_bytes=max_unpacked_bytes,
            stop=stop,
        )
        with contextlib.closing(work):
            return work.run(path, report, force=force)

    def landed(self) -> list[dict[str, Any]]:
        """Return what landed."""
        return landed_events(self.client, self.project_id)

    def counted(self) -> int:
        """Return how many events count."""
        return len({row["message_id"] for row in self.landed()})


@pytest.fixture
def place(runtime: Instance, client: Client, project: ProjectKeys, tmp_path: Path) -> Generator[Place]:
    """Return a directory and a project of one's own."""
    landing = Landing(runtime.clickhouse_url, timeout_s=60)
    yield Place(tmp_path, client, runtime.clickhouse_url, project.id, landing)
    landing.close()


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut files into blocks of ten rows."""
    monkeypatch.setattr(running, "_BLOCK_ROWS", 10)


def shop_rows(count: int, first: int = 0) -> bytes:
    """Return a CSV file."""
    rows = (f"u{number},buy,{1714979289 + number},{number}\n" for number in range(first, first + count))
    return ("who,what,at,n\n" + "".join(rows)).encode()


def test_rows_land_in_their_order_as_events_of_the_import(place: Place) -> None:
    run, was_imported_before = place.load(place.put("shop.csv", shop_rows(25)))
    landed = place.landed()
    assert [json.loads(row["properties"])["n"] for row in landed] == list(range(25))
    assert {(row["protocol"], row["write_key_id"], row["sent_at"]) for row in landed} == {("import", 0, None)}
    assert {row["received_at"].timestamp() for row in landed} == {run.started_ms / 1000}
    assert (run.done.rows_read, run.done.rows_landed, was_imported_before) == (25, 25, False)


@pytest.mark.usefixtures("small_blocks")
def test_bad_rows_are_filed_with_their_reasons_and_sink_no_others(place: Place, client: Client) -> None:
    content = (
        shop_rows(12) + b"null,buy,1714979289,x\nonly\nada,buy,never,1\nada,,1714979289,1\n" + shop_rows(9, 50)[14:]
    )
    run, _ = place.load(place.put("shop.csv", content))
    assert Counter(reason for reason, _, _ in rejects(client, place.project_id)) == {
        "illegal_id": 1,
        "invalid_shape": 1,
        "invalid_timestamp": 1,
        "invalid_event_name": 1,
    }
    assert (len(place.landed()), run.done.rows_landed, run.done.rows_rejected) == (21, 21, 4)


@pytest.mark.usefixtures("small_blocks")
def test_a_file_is_imported_once_under_any_name(place: Place) -> None:
    place.load(place.put("a.csv", shop_rows(25)))
    run, was_imported_before = place.load(place.put("b.csv", shop_rows(25)))
    assert (was_imported_before, run.done.rows_landed, len(place.landed())) == (True, 25, 25)


def test_a_file_that_was_read_as_what_it_is_not_can_be_imported_rightly(place: Place) -> None:
    """Neither what it was taken for nor that all of its rows were refused is in the way."""
    path = place.put("shop", shop_rows(5))
    wrong, right = (replace(SHOP, form=replace(SHOP.form, format=kind)) for kind in ("jsonl", "csv"))
    assert place.load(path, wrong)[0].done.rows_rejected == 6
    assert place.load(path, right)[0].done.rows_landed == 5
    assert place.load(path)[1]
    run, was_imported_before = place.load(path, wrong)
    assert (run.done.rows_rejected, was_imported_before) == (6, False)


def test_of_a_row_that_becomes_no_event_a_project_with_rules_keeps_nothing(place: Place, client: Client) -> None:
    """A rule on traits.email cannot find the address in a column of any name."""
    shop = own_mapping(
        Document(
            name="shop",
            columns={"who": "userId", "what": "event", "at": "timestamp", "n": "traits.n", "mail": "traits.email"},
            types={"n": "number"},
        )
    )
    content = (
        b"who,what,at,n,mail\n"
        b"ada,buy,1714979289,ada@secret.example,ada@secret.example\n"
        b"ada,buy,1714979289,1,ada@secret.example,more\n"
        b"ada,buy,1714979289,1,\xff@secret.example\n"
        b'ada,buy,it\'s "ada@secret.example",1,ada@secret.example\n'
    )
    path = place.put("shop.csv", content)
    found = "select detail, payload from raw.rejects where project_id = {id:UInt32}"
    rules = b'{"addresses":"keep","properties":[{"path":"traits.email","action":"hash"}]}'
    assert place.load(path, shop, rules=rules)[0].done.rows_rejected == 4
    rows = client.query(found, parameters={"id": place.project_id}).result_rows
    assert len(rows) == 4
    assert "secret" not in str(rows)
    assert not any("hidden" in detail for detail, _ in rows)
    assert any("column n: it is no number" in detail for detail, _ in rows)
    place.load(path, shop, force=True)
    assert "secret" in str(client.query(found, parameters={"id": place.project_id}).result_rows)


@pytest.mark.usefixtures("small_blocks")
def test_rows_without_ids_count_once_however_often_they_come(place: Place) -> None:
    """Forced, packed, and in a file that has grown: the rows are the same, and two equal rows of a file are two."""
    content = shop_rows(25) + b"ada,buy,1714979289,1\n" * 2
    place.load(place.put("a.csv", content))
    assert place.counted() == 27
    place.load(place.put("a.csv", content), force=True)
    place.load(place.put("a.csv.gz", gzip.compress(content)))
    assert len(place.landed()) == 3 * 27
    assert place.counted() == 27
    place.load(place.put("a.csv", content + b"ada,buy,1714979289,1\n" + shop_rows(1, 99)[14:]))
    assert place.counted() == 29


def test_rows_under_a_mapping_of_another_name_are_other_events(place: Place) -> None:
    path = place.put("a.csv", shop_rows(3))
    place.load(path)
    columns: dict[str, str | list[str]] = {"who": "userId", "at": "timestamp"}
    place.load(path, own_mapping(Document(name="people", columns=columns, constants={"type": "identify"})))
    assert place.counted() == 6


def test_what_was_sent_and_is_imported_again_counts_once(place: Place) -> None:
    """A file's own ids are kept."""
    events = [
        {"type": "track", "event": "x", "userId": "a", "timestamp": 1714979289, "messageId": f"m{n}"} for n in (1, 2)
    ]
    place.load(place.put("x.jsonl", lines(*events)), export("segment"))
    assert [row["message_id"] for row in place.landed()] == ["m1", "m2"]


class Dying(Landing):
    """Loses its connection after so many inserts, or tells nobody that the last one succeeded."""

    left: int
    is_last_done: bool

    def insert(self, kind: Kind, lines: bytes, token: str) -> None:
        """Insert, as long as there is a connection."""
        if self.left == 0 and self.is_last_done:
            self.is_last_done = False
            super().insert(kind, lines, token)
        if self.left == 0:
            raise UnreachableError("gone")
        self.left -= 1
        super().insert(kind, lines, token)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("is_last_done", [False, True])
@pytest.mark.parametrize("survived", [0, 1, 3])
def test_an_import_that_was_cut_off_goes_on_where_it_was(place: Place, survived: int, *, is_last_done: bool) -> None:
    path = place.put("shop.csv", shop_rows(45) + b"ada,buy,1714979289,1\n" * 12)
    landing = Dying(place.url, timeout_s=10)
    landing.left, landing.is_last_done = survived, is_last_done
    with pytest.raises(WarehouseAwayError):
        place.load(path, landing=landing, patience_s=0)
    landing.close()
    begun = len(place.landed())
    assert begun == 10 * (survived + is_last_done)
    run, was_imported_before = place.load(path)
    assert (was_imported_before, run.done.blocks, run.done.rows_landed) == (False, 6, 57)
    assert len(place.landed()) == place.counted() == 57


@pytest.mark.usefixtures("small_blocks")
def test_an_import_stops_between_blocks_when_it_is_told_to(place: Place) -> None:
    path, stop = place.put("shop.csv", shop_rows(45)), Event()
    stop.set()
    with pytest.raises(StoppedError):
        place.load(path, stop=stop)
    assert len(place.landed()) == 10
    place.load(path)
    assert len(place.landed()) == place.counted() == 45


def test_the_rows_before_the_damage_of_a_file_land(
    place: Place, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "_BLOCK_ROWS", 4_000)
    packed = gzip.compress(lines(*({"n": number, "x": os.urandom(8).hex()} for number in range(30_000))))
    path = place.put("x.gz", packed[: len(packed) // 2])
    mapping = own_mapping(Document(name="x", columns={}, constants={"event": "x", "userId": "ada", "timestamp": 1}))
    with pytest.raises(UnreadableFileError, match="cut off"):
        place.load(path, mapping)
    landed = place.landed()
    assert [json.loads(row["properties"])["n"] for row in landed] == list(range(len(landed)))
    assert len(landed) > 12_000
    sql = "select state, detail from raw.imports final where project_id = {id:UInt32} and block = 0"
    ((state, detail),) = client.query(sql, parameters={"id": place.project_id}).result_rows
    assert (state, "cut off" in detail) == ("failed", True)


def test_a_file_that_unpacks_to_too_much_is_not_read_further(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_BLOCK_ROWS", 100)
    with pytest.raises(UnreadableFileError, match="unpacked"):
        place.load(place.put("shop.csv", shop_rows(1000)), max_unpacked_bytes=5_000)
    assert 0 < len(place.landed()) < 200


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("blocks", [7, 10, 25])
def test_what_follows_a_fault_is_not_taken_for_done(place: Place, monkeypatch: pytest.MonkeyPatch, blocks: int) -> None:
    """The last block before the fault was a short one; the next version may cut blocks of another size."""
    path = place.put("shop.csv", shop_rows(47) + b"ada,buy,1714979289,1\n" * 8)
    with pytest.raises(UnreadableFileError):
        place.load(path, max_unpacked_bytes=2_000)
    begun = len(place.landed())
    assert begun % 10 > 0
    monkeypatch.setattr(running, "_BLOCK_ROWS", blocks)
    run, _ = place.load(path)
    assert (run.state, run.done.rows_read, run.done.rows_landed) == ("finished", 55, 55)
    assert len(place.landed()) == place.counted() == 55
    assert [row["sequence"] for row in place.landed()] == list(range(55))


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("blocks", [7, 25])
def test_a_version_that_cuts_other_blocks_goes_on_with_the_next_row(
    place: Place, monkeypatch: pytest.MonkeyPatch, blocks: int
) -> None:
    """Also when it is not known whether the block in hand has landed: its rows count once."""
    path = place.put("shop.csv", shop_rows(45) + b"ada,buy,1714979289,1\n" * 12)
    landing = Dying(place.url, timeout_s=10)
    landing.left, landing.is_last_done = 2, True
    with pytest.raises(WarehouseAwayError):
        place.load(path, landing=landing, patience_s=0)
    landing.close()
    monkeypatch.setattr(running, "_BLOCK_ROWS", blocks)
    run, _ = place.load(path)
    assert (run.state, run.done.rows_read, place.counted()) == ("finished", 57, 57)


def test_a_row_that_only_clickhouse_refuses_is_filed_alone(
    place: Place, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a table with a constraint would; here the line itself is spoilt on its way."""
    plain = Encoder().encode_lines

    def spoilt(rows: list[Any]) -> bytes:
        encoded = plain(rows)
        return (
            encoded.replace(b'"timestamp":', b'"timestamp":"x",  "y":', 1)
            if isinstance(rows[0], LandedEvent)
            else encoded
        )

    monkeypatch.setattr(running, "_encode_lines", spoilt)
    run, _ = place.load(place.put("shop.csv", shop_rows(9)))
    assert [reason for reason, _, _ in rejects(client, place.project_id)] == ["refused_by_warehouse"]
    assert (len(place.landed()), run.done.rows_landed, run.done.rows_rejected) == (8, 8, 1)
    assert list((place.root / "work").iterdir()) == []


def test_progress_is_told_in_bytes_and_rows(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_BLOCK_ROWS", 10_000)
    told: list[tuple[int, int, int]] = []

    def report(done: int, size: int, progress: Progress) -> None:
        told.append((done, size, progress.rows_read))

    path = place.put("shop.csv", shop_rows(50_000))
    place.load(path, report=report)
    assert all(before <= after for before, after in itertools.pairwise(told))
    assert told[0][0] < path.stat().st_size
    assert told[-1] == (path.stat().st_size, path.stat().st_size, 50_000)


@pytest.mark.slow
def test_an_import_that_is_killed_again_and_again_lands_every_row_once(
    runtime: Instance, place: Place, client: Client
) -> None:
    """`kill -9` of the program at any moment, then the same command; some rows are bad, and none has an id."""
    count, bad = 400_000, 37
    rows = shop_rows(count) + b"null,buy,1,1\n" * bad
    path = place.put("shop.csv", rows)
    mapping = place.put("shop.toml", b'[columns]\nwho = "userId"\nwhat = "event"\nat = "timestamp"\n')
    command = [sys.executable, "-m", "ingestion.importing", "--project", str(place.project_id)]
    command += ["--mapping", str(mapping), str(path)]
    environment = os.environ | runtime.variables | {"RADIXINSIGHT_DATA_DIR": str(place.root)}
    kills = 0
    for patience in (1.5, 2.0, 2.6, 3.1, 3.7, 120):
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
            try:
                assert process.wait(timeout=patience) == 0
                break
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                kills += 1
    assert kills >= 2
    sql = "select count(), uniqExact(message_id) from raw.events where project_id = {id:UInt32}"
    assert client.query(sql, parameters={"id": place.project_id}).result_rows == [(count, count)]
    assert len(rejects(client, place.project_id)) == bad
    began = time.monotonic()
    assert subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False).returncode == 0
    assert time.monotonic() - began < 60
    assert client.query(sql, parameters={"id": place.project_id}).result_rows == [(count, count)]


def test_an_import_waits_for_a_clickhouse_that_is_away(place: Place, free_port: int) -> None:
    away = Landing(f"http://radixinsight:x@127.0.0.1:{free_port}/", timeout_s=5)
    with pytest.raises(WarehouseAwayError, match="goes on where it was"):
        place.load(place.put("shop.csv", shop_rows(3)), landing=away, patience_s=0)
    away.close()
