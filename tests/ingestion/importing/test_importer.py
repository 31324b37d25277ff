"""What the importer does with files that cannot be imported now, or ever."""

import errno
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ingestion.importing import importer
from ingestion.importing.importer import Importer
from ingestion.importing.settings import ImportSettings
from ingestion.importing.uploads import Upload, Uploads
from runtime.instance import Instance


@contextmanager
def importing(runtime: Instance, directory: Path, **given: Any) -> Generator[tuple[Uploads, str]]:
    """Run an importer that has one file to import."""
    known: dict[str, Any] = {
        "data_dir": directory,
        "clickhouse_url": runtime.clickhouse_url,
        "database_url": runtime.database_url,
    }
    settings = ImportSettings(**(known | given))
    uploads = Uploads(settings.imports_dir)
    identifier = uploads.begin()
    uploads.part(identifier).write_bytes(b"{}")
    uploads.complete(Upload(id=identifier, project_id=1, write_key_id=1, name="x", mapping="segment", size=2))
    stop = threading.Event()
    thread = threading.Thread(target=Importer(settings, stop).run)
    thread.start()
    try:
        yield uploads, identifier
    finally:
        stop.set()
        thread.join()


def state_of(uploads: Uploads, identifier: str, *, code: str) -> Upload:
    """Wait until there is this code, and return what is known then."""
    deadline = time.monotonic() + 30
    while (upload := uploads.find(identifier, 1)) is None or upload.code != code:
        assert time.monotonic() < deadline, upload
        time.sleep(0.02)
    return upload


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for nothing."""
    monkeypatch.setattr(importer, "_AWAY_S", 0.05)


def test_what_is_begun_again_and_again_and_gets_no_further_is_given_up(
    runtime: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(*_: Any) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(importer, "rules_of", fault)
    with importing(runtime, tmp_path) as (uploads, identifier):
        assert state_of(uploads, identifier, code="given_up").state == "failed"
    assert not uploads.data(identifier).exists()


def test_a_file_is_kept_while_postgresql_is_away(runtime: Instance, tmp_path: Path, free_port: int) -> None:
    away = f"postgresql://radixinsight@127.0.0.1:{free_port}/x"
    with importing(runtime, tmp_path, database_url=away) as (uploads, identifier):
        for _ in range(5):
            assert state_of(uploads, identifier, code="warehouse_away").state == "waiting"
            time.sleep(0.2)
    assert uploads.data(identifier).exists()
