"""Reads the audit log of an organisation."""

import csv
import io
from collections.abc import AsyncGenerator, Sequence

import msgspec
from sqlalchemy import Select, select

from api.access.principals import Acting, OrganisationAccess
from api.audit.schemas import AuditEntryShown, AuditExport, AuditFilter, AuditQuery
from api.audit.trail import Trail
from core.metadata.accounts import AuditEntry
from core.metadata.audit import Target, entry
from core.metadata.tenancy import Database

_PAGE = 1_000
_COLUMNS = tuple(AuditEntryShown.model_fields)
# What a spreadsheet would take for a formula is written as text.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class AuditLog:
    """The entries of one organisation, for members who may read them."""

    def __init__(self, database: Database, trail: Trail) -> None:
        self._database = database
        self._trail = trail

    async def page(self, where: OrganisationAccess, query: AuditQuery) -> tuple[Sequence[AuditEntry], int | None]:
        """Return entries, the latest first, and what the next page begins before."""
        await self._trail.flush()
        async with self._database.of_organisation(where.id) as session:
            statement = _filtered(query).order_by(AuditEntry.id.desc()).limit(query.limit + 1)
            if query.before is not None:
                statement = statement.where(AuditEntry.id < query.before)
            found = (await session.scalars(statement)).all()
        shown = found[: query.limit]
        return shown, shown[-1].id if len(found) > query.limit else None

    async def export(self, by: Acting, where: OrganisationAccess, query: AuditExport) -> AsyncGenerator[str]:
        """Note that entries are taken out, and return them as lines, the oldest first."""
        await self._trail.flush()
        async with self._database.of_organisation(where.id) as session:
            said = Target("organisation", where.id, query.model_dump(mode="json", exclude_none=True))
            session.add(entry(by.actor, "audit_log.exported", said, organisation_id=where.id))
        return self._lines(where, query)

    async def _lines(self, where: OrganisationAccess, query: AuditExport) -> AsyncGenerator[str]:
        if query.format == "csv":
            yield _csv_line(_COLUMNS)
        last = 0
        while True:
            async with self._database.of_organisation(where.id) as session:
                statement = _filtered(query).where(AuditEntry.id > last).order_by(AuditEntry.id).limit(_PAGE)
                found = (await session.scalars(statement)).all()
            for each in found:
                yield _csv_line(_values(each)) if query.format == "csv" else _json_line(each)
            if len(found) < _PAGE:
                return
            last = found[-1].id


def _filtered(query: AuditFilter) -> Select[AuditEntry]:
    statement = select(AuditEntry)
    if query.action is not None:
        statement = statement.where(AuditEntry.action == query.action)
    if query.actor is not None:
        statement = statement.where(AuditEntry.actor_name == query.actor)
    if query.project_id is not None:
        statement = statement.where(AuditEntry.project_id == query.project_id)
    if query.since is not None:
        statement = statement.where(AuditEntry.at >= query.since)
    if query.until is not None:
        statement = statement.where(AuditEntry.at < query.until)
    return statement


def _values(each: AuditEntry) -> list[str]:
    values = [getattr(each, column) for column in _COLUMNS]
    return [msgspec.json.encode(value).decode() if isinstance(value, dict) else _text(value) for value in values]


def _text(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _csv_line(values: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(values)
    return line.getvalue()


def _json_line(each: AuditEntry) -> str:
    return msgspec.json.encode({column: getattr(each, column) for column in _COLUMNS}).decode() + "\n"
