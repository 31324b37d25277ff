"""Copies the projects' settings from PostgreSQL to ClickHouse, where the models need them."""

from collections.abc import Iterable
from dataclasses import dataclass

from clickhouse_connect.driver.client import Client

from core.clock import utc_now
from core.metadata import Project

_COLUMNS = ["project_id", "name", "timezone", "week_start", "session_gap_minutes"]
# final: a changed project has two rows until its parts are merged; a handful of rows, read for their newest version.
_COPIED = """
select project_id, name, timezone, week_start, session_gap_minutes
from {landing:Identifier}.projects final
"""
_FORGET = "delete from {landing:Identifier}.projects where project_id in {gone:Array(UInt32)}"


@dataclass(frozen=True, slots=True)
class Copied:
    """How many projects there are, and how many rows the copy changed."""

    projects: int
    written: int
    deleted: int


def copy_projects(client: Client, landing: str, projects: Iterable[Project]) -> Copied:
    """Make `<landing>.projects` equal to `projects`. Writes only what differs, so a quiet rerun makes no part."""
    wanted = {
        project.id: (project.id, project.name, project.timezone, project.week_start, project.session_gap_minutes)
        for project in projects
    }
    bound = {"landing": landing}
    present = {row[0]: tuple(row) for row in client.query(_COPIED, parameters=bound).result_rows}
    changed = [row for project_id, row in wanted.items() if present.get(project_id) != row]
    gone = sorted(present.keys() - wanted.keys())
    if changed:
        now = utc_now()
        client.insert(
            "projects", [[*row, now] for row in changed], column_names=[*_COLUMNS, "updated_at"], database=landing
        )
    if gone:
        client.command(_FORGET, parameters=bound | {"gone": gone})
    return Copied(projects=len(wanted), written=len(changed), deleted=len(gone))
