"""`python -m ingestion.importing --project N --mapping NAME FILE…`: imports files and says how, as lines of JSON.

What `radixinsight import` starts. Each line is an object whose `kind` is `file` (one is begun), `progress`, `finished`,
`failed` or, for a dry run, `event` and `reject`.
"""

import argparse
import contextlib
import itertools
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from clickhouse_connect.driver.exceptions import ClickHouseError
from sqlalchemy.exc import SQLAlchemyError
from urllib3.exceptions import HTTPError

from core import warehouse
from core.enrichment.geography import Geography
from core.errors import RadixError
from core.logging import configure
from core.metadata.collection_rules import Bots
from ingestion.importing.errors import UnreadableFileError, WarehouseAwayError
from ingestion.importing.ledger import Ledger, Progress, Subject
from ingestion.importing.mapping import PROTOCOL, Mapping
from ingestion.importing.occurrences import Occurrences
from ingestion.importing.own_mapping import read_mapping
from ingestion.importing.packing import Source
from ingestion.importing.readers import Unreadable, rows
from ingestion.importing.run import Import
from ingestion.importing.settings import ImportSettings, rules_of
from ingestion.importing.uploads import Uploads
from ingestion.intake import demand_size
from ingestion.rejection import RejectedEventError
from ingestion.shipper.landing import Landing
from ingestion.validation import Received, Validator

_TELL_EVERY_S = 0.2
_INSERT_TIMEOUT_S = 120


def main() -> int:
    """Import each file; return 1 when one of them could not be imported, or nothing of it landed."""
    parser = argparse.ArgumentParser(description="Import files of history.")
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--project", type=int, required=True)
    parser.add_argument("--write-key-id", type=int, default=0)
    parser.add_argument("--mapping", required=True)
    parser.add_argument("--zone")
    parser.add_argument("--dry-run", type=int, metavar="N")
    parser.add_argument("--force", action="store_true")
    arguments = parser.parse_args()
    settings = ImportSettings.read()
    configure("import", settings)
    try:
        mapping = read_mapping(arguments.mapping, zone=arguments.zone)
        files = [file for path in arguments.files for file in _files(path)]
    except RadixError as error:
        _say("failed", code=error.code, detail=error.detail)
        return 1
    if arguments.dry_run is not None:
        return _show(files, mapping, arguments, settings)
    return max([_import(file, mapping, arguments, settings) for file in files], default=0)


def _import(path: Path, mapping: Mapping, arguments: argparse.Namespace, settings: ImportSettings) -> int:
    url = settings.clickhouse_url.get_secret_value()
    try:
        _say("file", file=str(path), size=path.stat().st_size)
        subject = Subject.of(path, arguments.project, arguments.write_key_id, path.name, mapping)
        rules, schemas = rules_of(settings, arguments.project)
        landing = Landing(url, timeout_s=_INSERT_TIMEOUT_S)
        with contextlib.closing(landing), warehouse.connect(url) as client:
            work = Import(
                subject,
                landing,
                Ledger(client, subject),
                work=Uploads(settings.imports_dir).work,
                rules=rules,
                schemas=schemas,
                limits=settings.limits,
                geography=Geography.open_or_embedded(settings.geo_database),
            )
            with contextlib.closing(work):
                run, was_imported_before = work.run(path, _Teller().tell, force=arguments.force)
    except RadixError as error:
        _say("failed", file=str(path), code=error.code, detail=error.detail)
        return 1
    except (ClickHouseError, HTTPError, SQLAlchemyError, ConnectionError, TimeoutError) as error:
        detail = f"ClickHouse or PostgreSQL does not answer: {(str(error).splitlines() or [''])[0][:200]}"
        _say("failed", file=str(path), code=WarehouseAwayError.code, detail=detail)
        return 1
    except OSError as error:
        _say("failed", file=str(path), code=UnreadableFileError.code, detail=f"{path}: {error.strerror or error}.")
        return 1
    _say("finished", file=str(path), was_imported_before=was_imported_before, **_counts(run.done))
    return 1 if run.done.rows_read and not run.done.rows_landed else 0


def _show(files: list[Path], mapping: Mapping, arguments: argparse.Namespace, settings: ImportSettings) -> int:
    """Show what the first rows would become, and land nothing."""
    rules, schemas = rules_of(settings, arguments.project)
    received = Received(
        project_id=arguments.project,
        write_key_id=arguments.write_key_id,
        protocol=PROTOCOL,
        received_ms=time.time_ns() // 1_000_000,
        ip="",
        user_agent="",
        schemas=schemas,
        privacy=rules.privacy,
        limits=settings.limits,
        rejects_bots=rules.rules.bots is Bots.REJECT,
    )
    validator = Validator(received)
    with contextlib.closing(Occurrences(arguments.project, mapping.name)) as ids:
        try:
            for number, row in enumerate(itertools.islice(_all_rows(files, mapping), arguments.dry_run), 1):
                try:
                    if isinstance(row, Unreadable):
                        raise RejectedEventError(row.reason, row.detail)  # noqa: TRY301 - shown as the mapping's own
                    raw = msgspec.Raw(mapping.bring(row, ids.id_of))
                    demand_size(raw, settings.max_event_bytes)
                    event = mapping.decode(raw)
                    event.message_id = event.message_id or ids.id_of(bytes(raw))
                    _say("event", row=number, event=validator.land(event, number - 1, ""))
                except RejectedEventError as error:
                    _say("reject", row=number, reason=error.reason, detail=error.detail)
        except RadixError as error:
            _say("failed", code=error.code, detail=error.detail)
            return 1
    return 0


def _all_rows(files: list[Path], mapping: Mapping) -> Iterator[Any]:
    for path in files:
        with Source(path) as source:
            yield from rows(source, path.name, mapping.form)


def _files(path: Path) -> Iterator[Path]:
    """Yield a file, or all files of a directory and what is below it, in the order of their names."""
    if path.is_dir():
        yield from (file for file in sorted(path.rglob("*")) if file.is_file() and not file.name.startswith("."))
    elif path.is_file():
        yield path
    else:
        raise UnreadableFileError(f"There is no file {path}.")


class _Teller:
    """Says how far a file is, five times a second at most."""

    def __init__(self) -> None:
        self._told_at = 0.0

    def tell(self, done: int, size: int, progress: Progress) -> None:
        """Say it now, unless that was a moment ago."""
        now = time.monotonic()
        if now - self._told_at >= _TELL_EVERY_S:
            self._told_at = now
            _say("progress", done=done, size=size, **_counts(progress))


def _counts(progress: Progress) -> dict[str, int]:
    return {
        "rows_read": progress.rows_read,
        "rows_landed": progress.rows_landed,
        "rows_rejected": progress.rows_rejected,
    }


def _say(kind: str, **facts: Any) -> None:
    sys.stdout.write(msgspec.json.encode({"kind": kind} | facts).decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
