"""Exports of a project: asked for, looked at, cancelled, fetched."""

from datetime import timedelta
from pathlib import Path

from sqlalchemy import func, select

from api.access.errors import AddressNotAllowedError
from api.access.principals import Client
from api.accounts.errors import LinkInvalidError
from api.accounts.secrets import Secrets
from api.audit.trail import Trail
from api.errors import NotFoundError
from api.exports.errors import ExportsFullError, TooManyExportsError
from api.exports.files import SUFFIXES
from api.exports.maker import ExportMaker
from api.exports.schemas import ExportShown, NewExport
from api.insights.answers import Answers
from api.queries.reading import invalid_document
from api.settings import ApiSettings
from core.clock import utc_now
from core.insights.faults import Fault
from core.metadata import Project
from core.metadata.accounts import Organisation
from core.metadata.audit import Actor, Target, entry
from core.metadata.exports import ACTIVE, Export
from core.metadata.tenancy import Database
from core.problem import InvalidRequestError

_LATEST = 100
_LINK_LASTS = timedelta(hours=1)


class Exports:
    """Exports, by who may take data out. Raises `UnavailableError` without PostgreSQL."""

    def __init__(
        self,
        settings: ApiSettings,
        *,
        database: Database,
        answers: Answers,
        secrets: Secrets,
        trail: Trail,
        maker: ExportMaker,
    ) -> None:
        self._settings = settings
        self._database = database
        self._answers = answers
        self._secrets = secrets
        self._trail = trail
        self._maker = maker

    async def create(self, by: Actor, project: Project, asked: NewExport) -> ExportShown:
        """Ask for an export.

        Raises `InvalidRequestError` for a range that makes no sense, `ExportsFullError` and `TooManyExportsError`.
        """
        start = end = None
        if asked.kind == "persons":
            if asked.from_ is not None or asked.to is not None or asked.event is not None:
                raise _invalid("kind", "persons are all that there are now: no range, and no event")
        elif asked.from_ is None or asked.to is None:
            raise _invalid("from", "events take a range: from and to")
        else:
            window = await self._answers.window(project, asked.from_, asked.to, _invalid)
            start, end = window.start, window.end
        taken, most = await self._maker.bytes_of(project.id), self._settings.project_max_export_bytes
        if taken >= most:
            raise ExportsFullError(taken, most)
        async with self._database.of_project(project) as session:
            active = select(func.count(Export.id)).where(Export.state.in_(ACTIVE))
            if (await session.scalars(active)).one() >= self._settings.project_max_exports:
                raise TooManyExportsError(self._settings.project_max_exports)
            made = Export(
                kind=asked.kind,
                format=asked.format,
                range_start=start,
                range_end=end,
                event=asked.event,
                actor_kind=by.kind,
                actor_id=by.id,
                actor_name=by.name,
            )
            session.add(made)
            await session.flush()
            await session.refresh(made)
            told = asked.model_dump(mode="json", exclude_none=True)
            said = Target("export", made.id, told)
            owner = {"organisation_id": project.organisation_id, "project_id": project.id}
            session.add(entry(by, "export.created", said, **owner))
        self._maker.wake()
        return self._shown(made)

    async def latest(self, project: Project) -> list[ExportShown]:
        """Return the newest exports."""
        async with self._database.of_project(project) as session:
            found = await session.scalars(select(Export).order_by(Export.id.desc()).limit(_LATEST))
            return [self._shown(each) for each in found]

    async def one(self, project: Project, export_id: int) -> ExportShown:
        """Return an export; raises `NotFoundError`."""
        async with self._database.of_project(project) as session:
            found = await session.get(Export, export_id)
        if found is None:
            raise NotFoundError("export", export_id)
        return self._shown(found)

    async def cancel(self, by: Actor, project: Project, export_id: int) -> None:
        """End an export; delete one that is done, with its file. Raises `NotFoundError`."""
        async with self._database.of_project(project) as session:
            found = await session.get(Export, export_id, with_for_update=True)
            if found is None:
                raise NotFoundError("export", export_id)
            if found.state in {*ACTIVE, "done"}:
                found.state = "deleted" if found.state == "done" else "cancelled"
                found.finished_at = found.finished_at or utc_now()
                owner = {"organisation_id": project.organisation_id, "project_id": project.id}
                session.add(entry(by, f"export.{found.state}", Target("export", export_id), **owner))
        self._maker.remove(found)

    async def file(self, token: str, client: Client) -> tuple[Path, str, str]:
        """Return the file to which a link leads, its name and format.

        It is noted as an access by who asked for the export. Raises `LinkInvalidError`, and `AddressNotAllowedError`
        from outside the organisation's networks.
        """
        export_id = self._secrets.export_of(token)
        if export_id is None:
            raise LinkInvalidError
        async with self._database.of_all() as session:
            statement = (
                select(Export, Project, Organisation.allowed_networks)
                .join(Project, Export.project_id == Project.id)
                .join(Organisation, Project.organisation_id == Organisation.id)
                .where(Export.id == export_id, Export.state == "done", Export.expires_at > utc_now())
            )
            found = (await session.execute(statement)).one_or_none()
        if found is None:
            raise LinkInvalidError
        export, project, networks = found
        if not client.is_within(networks):
            raise AddressNotAllowedError(client.address)
        path = self._maker.path_of(export)
        if not path.exists():
            raise LinkInvalidError
        kind = "user" if export.actor_kind == "user" else "api_key"
        self._trail.note(
            Actor(kind, export.actor_id, export.actor_name, client.address, client.user_agent),
            "export.fetched",
            {"export_id": export.id, "kind": export.kind, "rows": export.rows_written},
            organisation_id=project.organisation_id,
            project_id=project.id,
        )
        return path, f"{export.kind}-{export.id}.{SUFFIXES[export.format]}", export.format

    def _shown(self, export: Export) -> ExportShown:
        link = None
        if export.state == "done" and export.expires_at is not None:
            token = self._secrets.export_token(export.id, min(export.expires_at, utc_now() + _LINK_LASTS))
            link = f"{self._settings.public_url}/v1/exports/{token}"
        names = [name for name in ExportShown.model_fields if name != "link"]
        return ExportShown.model_validate({name: getattr(export, name) for name in names} | {"link": link})


def _invalid(name: str, message: str) -> InvalidRequestError:
    return invalid_document(Fault((name,), message, "value_error"))
