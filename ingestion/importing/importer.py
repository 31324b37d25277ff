"""`python -m ingestion.importing.importer`: imports what was uploaded to the collector, until SIGTERM or SIGINT.

A process of its own, so that history never holds up what happens now.
"""

import contextlib
import time
from dataclasses import replace
from threading import Event

import structlog
from clickhouse_connect.driver.exceptions import ClickHouseError
from sqlalchemy.exc import SQLAlchemyError
from urllib3.exceptions import HTTPError

from core import warehouse
from core.enrichment.geography import Geography
from core.errors import RadixError
from core.logging import configure
from ingestion.importing.errors import GivenUpError, WarehouseAwayError
from ingestion.importing.ledger import Ledger, Progress, Subject
from ingestion.importing.mapping import Mapping
from ingestion.importing.own_mapping import find_mapping
from ingestion.importing.run import Import, StoppedError
from ingestion.importing.settings import ImportSettings, rules_of
from ingestion.importing.uploads import Upload, Uploads
from ingestion.shipper.landing import Landing
from ingestion.spool.directory import try_lock
from ingestion.stopping import stop_on_signals

_POLL_S, _IDLE_POLL_S = 0.5, 2.0
_SWEEP_EVERY_S = 3600
_TELL_EVERY_S = 0.5
_INSERT_TIMEOUT_S = 120
_AWAY_S = 5.0
_MOST_TRIES = 3
_logger = structlog.get_logger()


class Importer:
    """Imports uploads, the oldest first. Several may work on one directory: a file is locked while one has it."""

    def __init__(self, settings: ImportSettings, stop: Event) -> None:
        self._settings = settings
        self._uploads = Uploads(settings.imports_dir)
        self._stop = stop

    def run(self) -> None:
        """Import until told to stop; what is under way then goes on with the next start."""
        swept_at = 0.0
        while not self._stop.is_set():
            if time.monotonic() - swept_at > _SWEEP_EVERY_S:
                self._uploads.sweep()
                swept_at = time.monotonic()
            waiting = self._uploads.waiting()
            for upload in waiting:
                if self._stop.is_set():
                    break
                with try_lock(self._uploads.data(upload.id)) as locked:
                    if locked:
                        self._import(upload)
            self._stop.wait(_POLL_S if waiting else _IDLE_POLL_S)

    def _import(self, upload: Upload) -> None:
        # Noted before it is begun: a file that kills this process says nothing afterwards.
        upload.tries += 1
        upload.state, upload.code, upload.detail = "running", None, None
        self._uploads.write(upload)
        try:
            if upload.tries > _MOST_TRIES:
                raise GivenUpError(f"It was begun {_MOST_TRIES} times and got no further; the log may say why.")  # noqa: TRY301
            self._carry(upload)
        except StoppedError:
            upload.tries = 0
            self._uploads.write(upload)
            return
        except WarehouseAwayError as error:
            upload.tries = 0
            self._wait(upload, error.code, error.detail)
            return
        except (ClickHouseError, HTTPError, SQLAlchemyError, ConnectionError, TimeoutError) as error:
            upload.tries = 0
            self._wait(upload, WarehouseAwayError.code, "ClickHouse or PostgreSQL does not answer.")
            _logger.warning("import_waits", id=upload.id, error=str(error).splitlines()[0])
            return
        except OSError as error:
            # Of the file or its disk, which may come to itself.
            self._wait(upload, "read_fault", f"The file cannot be read now: {error.strerror or type(error).__name__}.")
            _logger.warning("import_waits", id=upload.id, error=str(error))
            return
        except RadixError as error:
            upload.state, upload.code, upload.detail = "failed", error.code, error.detail
        except Exception:  # one file's fault must not keep the others from being imported
            _logger.exception("import_failed", id=upload.id)
            upload.state, upload.code = "failed", RadixError.code
            upload.detail = "Something unexpected went wrong; the log has the details."
        else:
            upload.state = "finished"
        _logger.info("import_ended", id=upload.id, state=upload.state, rows=upload.rows_read, code=upload.code)
        self._uploads.write(upload)
        self._uploads.data(upload.id).unlink(missing_ok=True)

    def _wait(self, upload: Upload, code: str, detail: str) -> None:
        upload.state, upload.code, upload.detail = "waiting", code, detail
        self._uploads.write(upload)
        self._stop.wait(_AWAY_S)

    def _carry(self, upload: Upload) -> None:
        path = self._uploads.data(upload.id)
        mapping = _mapping_of(upload)
        subject = Subject.of(path, upload.project_id, upload.write_key_id, upload.name, mapping)
        url = self._settings.clickhouse_url.get_secret_value()
        rules, schemas = rules_of(self._settings, upload.project_id)
        landing = Landing(url, timeout_s=_INSERT_TIMEOUT_S)
        with contextlib.closing(landing), warehouse.connect(url) as client:
            work = Import(
                subject,
                landing,
                Ledger(client, subject),
                work=self._uploads.work,
                rules=rules,
                schemas=schemas,
                limits=self._settings.limits,
                geography=Geography.open_or_embedded(self._settings.geo_database),
                max_unpacked_bytes=self._settings.max_unpacked_bytes,
                stop=self._stop,
            )
            told_at, landed_before = 0.0, upload.rows_read

            def report(done: int, _size: int, progress: Progress) -> None:
                nonlocal told_at
                if progress.rows_read > landed_before:
                    upload.tries = 0
                _tell(upload, done, progress)
                if time.monotonic() - told_at > _TELL_EVERY_S:
                    self._uploads.write(upload)
                    told_at = time.monotonic()

            with contextlib.closing(work):
                run, upload.was_imported_before = work.run(path, report)
                _tell(upload, upload.size, run.done)


def _mapping_of(upload: Upload) -> Mapping:
    mapping = find_mapping(upload.mapping, zone=upload.zone)
    return mapping if upload.format is None else replace(mapping, form=replace(mapping.form, format=upload.format))


def _tell(upload: Upload, done: int, progress: Progress) -> None:
    upload.bytes_read = done
    upload.rows_read, upload.rows_landed = progress.rows_read, progress.rows_landed
    upload.rows_rejected = progress.rows_rejected


def main() -> None:
    """Import until told to stop; the block in hand is finished first."""
    settings = ImportSettings.read()
    configure("importer", settings)
    Importer(settings, stop_on_signals()).run()


if __name__ == "__main__":
    main()
