"""What collectors say that they acknowledged, on its way to the reconciliation."""

from collections.abc import Generator
from datetime import timedelta
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from core.clock import utc_now
from engine.reconciled import Books, books
from governance.quality import missing_pages
from ingestion.shipper import ledger
from ingestion.shipper.landing import Landing
from ingestion.shipper.metrics import ShipperMetrics
from ingestion.spool.directory import segments, writers
from runtime.instance import Instance
from runtime.project_keys import ProjectKeys
from tests.ingestion.harness import Line, Sender


@pytest.fixture
def own_line(runtime: Instance, tmp_path: Path) -> Generator[Line]:
    """Return a collector that runs and a shipper that does not yet."""
    line = Line(runtime.variables, tmp_path)
    line.collector.start()
    yield line
    line.stop()


@pytest.fixture
def made(client: Client) -> Generator[Books]:
    """Return the books to reconcile with."""
    with books(client) as made:
        yield made


def finish(line: Line) -> None:
    """Let everything be shipped and reported."""
    line.collector.stop()
    if line.shipper.process is None:
        line.shipper.start()
    line.wait_until_shipped()
    line.wait_until_reported()


def test_what_was_acknowledged_is_what_landed(own_line: Line, project: ProjectKeys, made: Books) -> None:
    own_line.shipper.start()
    sender = Sender(own_line.collector.url, project.write_key)
    for number in range(20):
        sender.batch({"messageId": f"m{number}"}, {"messageId": "again"}, {"userId": "null"})
    finish(own_line)
    made.model(project.id)
    row = made.today(project.id)
    assert (row.acknowledged, row.landed, row.rejected, row.lost, row.doubled, row.unledgered) == (60, 40, 20, 0, 0, 0)
    assert (row.duplicates, row.modelled, row.unmodelled) == (19, 21, 0)


def test_a_segment_that_disappears_is_missed(own_line: Line, project: ProjectKeys, made: Books) -> None:
    sender = Sender(own_line.collector.url, project.write_key)
    sender.batch({}, {}, {})
    own_line.collector.stop()
    own_line.collector.start()
    sender.batch({}, {})
    own_line.collector.stop()
    first, _ = (segment for owner in writers(own_line.data_dir / "spool") for segment in segments(owner))
    first.unlink()
    finish(own_line)
    row = made.today(project.id)
    assert (row.acknowledged, row.landed, row.lost, row.missing_segments) == (5, 2, 3, 1)


def test_a_page_of_the_ledger_that_disappears_is_missed(
    own_line: Line, project: ProjectKeys, made: Books, client: Client
) -> None:
    sender = Sender(own_line.collector.url, project.write_key)
    before = missing_pages(client, [utc_now().date()])
    for _ in range(3):
        sender.batch({}, {})
        own_line.wait_until_sealed()
    own_line.collector.stop()
    pages = [page for owner in writers(own_line.data_dir / "ledger") for page in segments(owner)]
    assert len(pages) == 3
    pages[1].unlink()
    finish(own_line)
    assert made.today(project.id, settled_after=timedelta(0)).unledgered == 2
    assert missing_pages(client, [utc_now().date()]) == before + 1


def test_a_segment_that_waits_is_told_of_and_then_no_more(
    own_line: Line, project: ProjectKeys, made: Books, runtime: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "_LATE_S", 0)
    Sender(own_line.collector.url, project.write_key).batch({}, {})
    own_line.collector.stop()
    spool = own_line.data_dir / "spool"
    landing = Landing(runtime.clickhouse_url, timeout_s=30)
    report = ledger.LedgerReport(
        spool, own_line.data_dir / "ledger", own_line.data_dir, landing, ShipperMetrics(spool), interval_s=0
    )
    assert [report.report_due() for _ in range(3)] == [0, 0, 0]
    landing.close()
    assert (made.today(project.id).waiting, made.today(project.id).lost) == (2, 0)
    finish(own_line)
    assert made.today(project.id).landed == 2
    assert (made.today(project.id).waiting, made.today(project.id).lost) == (0, 0)
