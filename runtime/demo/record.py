"""What the demo remembers between two runs."""

from datetime import UTC, datetime

import msgspec

from runtime.credentials import write_private
from runtime.directory import DataDirectory
from runtime.project_keys import ProjectKeys, create_project, project_of_api_key

PROJECT_NAME = "Demo shop"


class DemoRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The demo's project and the instant (UTC) at which its data ends: the same data when the demo runs again."""

    project: ProjectKeys
    ends_at: datetime


def read_record(directory: DataDirectory) -> DemoRecord | None:
    """Return what an earlier run wrote, or None."""
    try:
        return msgspec.json.decode(directory.demo_file.read_bytes(), type=DemoRecord)
    except FileNotFoundError:
        return None


def find_or_create(directory: DataDirectory, database_url: str) -> DemoRecord:
    """Return the demo's project; make it when there is none in this database. Its keys are kept in a private file."""
    record = read_record(directory)
    if record is not None and project_of_api_key(database_url, record.project.api_key) == record.project.id:
        return record
    project = create_project(database_url, PROJECT_NAME, key_name="demo")
    record = DemoRecord(project=project, ends_at=datetime.now(UTC).replace(microsecond=0))
    write_private(directory.demo_file, msgspec.json.encode(record))
    return record
