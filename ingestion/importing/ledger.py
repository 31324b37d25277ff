"""How far each file is, as ClickHouse knows it (`raw.imports`)."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from urllib3.exceptions import HTTPError

from core.warehouse import ProjectScope
from ingestion.importing.errors import WarehouseAwayError
from ingestion.importing.mapping import Mapping
from ingestion.importing.packing import content_hash
from ingestion.importing.readers import format_of
from ingestion.spool.directory import IMPORTED

_COLUMNS = (
    *("project_id", "import_id", "started_at", "block", "state", "file_name", "content_hash", "mapping"),
    *("mapping_document", "write_key_id", "rows_read", "rows_landed", "rows_rejected", "ids_made", "detail"),
)
_LATEST = """
select
    toUnixTimestamp64Milli(started_at) as started_ms,
    anyIf(state, block = 0) as file_state,
    -- Blocks are done in their order: what follows a gap was not done by the same program.
    max(block) as blocks,
    sumIf(rows_read, block > 0) as read,
    sumIf(rows_landed, block > 0) as landed,
    sumIf(rows_rejected, block > 0) as rejected,
    sumIf(ids_made, block > 0) as made
from raw.imports final  -- a file's state was noted more than once
where project_id = {project_id:UInt32} and import_id = {import_id:String}
group by started_at
order by started_at desc
limit 1
"""


@dataclass(slots=True)
class Progress:
    """How many rows of a file were read, and what became of them."""

    blocks: int = 0
    rows_read: int = 0
    rows_landed: int = 0
    rows_rejected: int = 0
    ids_made: int = 0

    def add(self, other: "Progress") -> None:
        """Count another part of the file."""
        self.blocks += 1
        self.rows_read += other.rows_read
        self.rows_landed += other.rows_landed
        self.rows_rejected += other.rows_rejected
        self.ids_made += other.ids_made


@dataclass(slots=True)
class Run:
    """One run over a file, possibly by several processes, one after the other."""

    started_ms: int
    state: str = "new"
    done: Progress = field(default_factory=Progress)


@dataclass(frozen=True, slots=True)
class Subject:
    """What is imported, into which project, and how."""

    project_id: int
    write_key_id: int
    file_name: str
    content_hash: str
    mapping: Mapping
    format: str
    """As what the file is read: what makes nothing of a CSV file as JSON must not be in the way of the right one."""

    @classmethod
    def of(cls, path: Path, project_id: int, write_key_id: int, name: str, mapping: Mapping) -> "Subject":
        """Return what a file, which is called `name`, is to be imported as."""
        form = format_of(path, name, mapping.form)
        return cls(project_id, write_key_id, name, content_hash(path), mapping, form)

    @property
    def document(self) -> str:
        """The mapping as JSON."""
        return json.dumps({"name": self.mapping.name} | self.mapping.document, sort_keys=True, ensure_ascii=False)

    @property
    def import_id(self) -> str:
        """The import's identity, whatever the file is called."""
        parts = f"{self.project_id}\0{self.content_hash}\0{self.format}\0{self.document}"
        return hashlib.sha256(parts.encode()).hexdigest()[:16]

    def batch_id(self, run: Run, block: int) -> str:
        """Return a block's id, which is also its insert's deduplication token: the same in every process of the run."""
        return f"{IMPORTED}{run.started_ms:013d}-{self.import_id}-{block:06d}"


class Ledger:
    """Notes in `raw.imports`."""

    def __init__(self, client: Client, subject: Subject) -> None:
        self._client = client
        self._subject = subject
        self._scope = ProjectScope(subject.project_id)

    def latest(self) -> Run | None:
        """Return the last run over this file, or None; as the notes, raise `WarehouseAwayError`."""
        try:
            found = self._scope.run(self._client, _LATEST, {"import_id": self._subject.import_id}).first_row
        except (ClickHouseError, HTTPError, OSError) as error:
            raise WarehouseAwayError(f"ClickHouse cannot say what was imported: {_first_line(error)}.") from error
        if not found:
            return None
        started_ms, state, *counts = found
        return Run(int(started_ms), str(state), Progress(*map(int, counts)))

    def note_file(self, run: Run, state: str, detail: str = "") -> None:
        """Note what has become of the file as a whole."""
        run.state = state
        self._note(run, 0, state, run.done, detail)

    def note_block(self, run: Run, block: int, part: Progress) -> None:
        """Note that a block is landed."""
        self._note(run, block, "landed", part, "")

    def _note(self, run: Run, block: int, state: str, counts: Progress, detail: str) -> None:
        subject = self._subject
        row: list[Any] = [
            *(subject.project_id, subject.import_id, datetime.fromtimestamp(run.started_ms / 1000, UTC), block, state),
            *(subject.file_name, subject.content_hash, subject.mapping.name, subject.document, subject.write_key_id),
            *(counts.rows_read, counts.rows_landed, counts.rows_rejected, counts.ids_made, detail[:500]),
        ]
        try:
            self._client.insert("raw.imports", [row], column_names=_COLUMNS)
        except (ClickHouseError, HTTPError, OSError) as error:
            raise WarehouseAwayError(f"The state of the import cannot be noted: {_first_line(error)}.") from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
