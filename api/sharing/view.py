"""What whoever has a link is shown: figures of many persons, and nothing that tells who they are."""

from datetime import timedelta
from typing import Any, ClassVar, NamedTuple

from pydantic import SecretStr
from sqlalchemy import select

from api.access.errors import AddressNotAllowedError
from api.access.principals import Client
from api.accounts.attempts import Attempts
from api.accounts.passwords import Passwords
from api.errors import NotFoundError
from api.queries.reading import ReadDocument, tells_of_many
from api.queries.service import Queries
from api.saved.contents import DashboardContent, InsightContent, TextTile
from api.saved.objects import content_of
from api.saved.service import Saved
from api.sharing.schemas import LinkOpened, Shared, SharedResult, SharedTile
from api.sharing.tokens import LinkTokens, link_named
from core.clock import utc_now
from core.errors import RadixError
from core.metadata import Project
from core.metadata.accounts import Organisation
from core.metadata.audit import Actor
from core.metadata.saved import SavedObject, SharedLink
from core.metadata.tenancy import Database
from core.problem import InvalidRequestError

_VIEW_LASTS = timedelta(hours=1)


class LinkUnknownError(RadixError):
    """The link was never made, has expired, was revoked, or shows nothing; which of them is not said."""

    status: ClassVar[int] = 404
    code: ClassVar[str] = "link_unknown"
    title: ClassVar[str] = "The link does not work"

    def __init__(self) -> None:
        super().__init__("It has expired or was taken back. Ask whoever gave it to you for a new one.")


class LinkPasswordError(RadixError):
    """The link wants a password, and none or a wrong one was given."""

    status: ClassVar[int] = 401
    code: ClassVar[str] = "link_password_wrong"
    title: ClassVar[str] = "The link wants its password"

    def __init__(self) -> None:
        super().__init__(
            "Send the password that whoever made the link set, as `password`.", headers={"WWW-Authenticate": "Bearer"}
        )


class LinkNotOpenedError(RadixError):
    """The request carries no token of an opened link, or one that is no longer good."""

    status: ClassVar[int] = 401
    code: ClassVar[str] = "link_not_opened"
    title: ClassVar[str] = "The link has to be opened first"

    def __init__(self) -> None:
        super().__init__(
            "POST /v1/shared/open gives a token for an hour: send it as `Authorization: Bearer sv_…`.",
            headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
        )


class NotShareableError(RadixError):
    """The answer of a question may tell who somebody is."""

    status: ClassVar[int] = 422
    code: ClassVar[str] = "not_shareable"
    title: ClassVar[str] = "This is not shown by link"

    def __init__(self) -> None:
        super().__init__(
            "Links show figures: no lists of events, persons or values, and nothing that is told apart by a trait of "
            "persons. Save a question of another kind, or without that breakdown."
        )


class Viewer(NamedTuple):
    """Whoever has a link, and what it shows."""

    link: SharedLink
    shared: SavedObject
    project: Project

    def actor(self, client: Client) -> Actor:
        """Return how the audit log names him."""
        return Actor("link", self.link.id, f"link {self.link.id}", client.address, client.user_agent)


class SharedViews:
    """Opens links and shows what they are to. Each request looks whether the link still holds."""

    def __init__(
        self,
        *,
        database: Database,
        tokens: LinkTokens,
        passwords: Passwords,
        attempts: Attempts,
        saved: Saved,
        queries: Queries,
    ) -> None:
        self._database = database
        self._tokens = tokens
        self._passwords = passwords
        self._attempts = attempts
        self._saved = saved
        self._queries = queries

    async def open(self, token: str, password: SecretStr | None, client: Client) -> LinkOpened:
        """Return a token for an hour; raises `LinkUnknownError`, `LinkPasswordError`, `TooManyAttemptsError`."""
        found = await self._find(token, client)
        if found is None or not self._tokens.opens(token, found.link):
            raise LinkUnknownError
        if found.link.password_hash is not None:
            await self._check_password(found.link, found.link.password_hash, password, client)
        expires_at = min(utc_now() + _VIEW_LASTS, found.link.expires_at).replace(microsecond=0)
        return LinkOpened(access_token=self._tokens.of_view(found.link, expires_at), expires_at=expires_at)

    async def viewer(self, token: str, client: Client) -> Viewer:
        """Return who opened a link, by his token; raises `LinkUnknownError` or `LinkNotOpenedError`."""
        found = await self._find(token, client)
        if found is None or not self._tokens.views(token, found.link):
            raise LinkNotOpenedError
        return found

    async def show(self, viewer: Viewer) -> Shared:
        """Return what a link shows, without answers."""
        shared, tiles, query_kind = viewer.shared, [], None
        if shared.kind == InsightContent.kind:
            query_kind = _kind_shown(content_of(shared, InsightContent).query)
        else:
            tiles = await self._tiles(viewer.project, content_of(shared, DashboardContent))
        return Shared.model_validate(
            {
                "kind": shared.kind,
                "name": shared.name,
                "description": shared.content["description"],
                "timezone": viewer.project.timezone,
                "query_kind": query_kind,
                "tiles": tiles,
            }
        )

    async def answer(self, viewer: Viewer, tile: str | None) -> SharedResult:
        """Return the figures of an insight, or of a dashboard's tile; raises `NotFoundError`, `NotShareableError`."""
        asked = viewer.shared
        if asked.kind == DashboardContent.kind:
            asked = await self._insight_of(viewer, tile)
        elif tile is not None:
            raise NotFoundError("tile", tile)
        read = demand_shareable(content_of(asked, InsightContent).query)
        question = await self._queries.question(viewer.project, read)
        answered = await self._queries.answer(viewer.project, question)
        meta = answered.meta
        return SharedResult.model_validate(
            {
                "kind": answered.kind,
                "data": answered.data,
                "computed_at": meta.computed_at,
                "fresh_until": meta.fresh_until,
            }
        )

    async def _insight_of(self, viewer: Viewer, tile_id: str | None) -> SavedObject:
        for tile in content_of(viewer.shared, DashboardContent).tiles:
            if tile.id == tile_id and not isinstance(tile, TextTile):
                # How to take one out of the trash is for members.
                for found in await self._saved.find_all(viewer.project, {tile.insight_id}, InsightContent.kind):
                    return found
        raise NotFoundError("tile of an insight", tile_id)

    async def _tiles(self, project: Project, dashboard: DashboardContent) -> list[SharedTile | TextTile]:
        found = await self._saved.find_all(project, dashboard.insight_ids(), InsightContent.kind, with_trash=True)
        insights = {each.id: each for each in found}
        tiles: list[SharedTile | TextTile] = []
        for tile in dashboard.tiles:
            if isinstance(tile, TextTile):
                tiles.append(tile)
                continue
            insight = insights[tile.insight_id]
            place = {name: getattr(tile, name) for name in ("id", "x", "y", "width", "height")}
            is_in_trash = insight.deleted_at is not None
            said = {"name": tile.title or insight.name, "is_in_trash": is_in_trash}
            kind = None if is_in_trash else _kind_shown(content_of(insight, InsightContent).query)
            tiles.append(SharedTile.model_validate(place | said | {"query_kind": kind}))
        return tiles

    async def _find(self, token: str, client: Client) -> Viewer | None:
        """Return the link that a token is of, None for a token that was never given.

        Raises `LinkUnknownError` where the link works no more, which only those learn who have a token of it.
        """
        link_id = link_named(token)
        if link_id is None or link_id >= 2**31:
            return None
        async with self._database.of_all() as session:
            statement = (
                select(SharedLink, SavedObject, Project, Organisation.allowed_networks)
                .join(SavedObject, SharedLink.object_id == SavedObject.id)
                .join(Project, SharedLink.project_id == Project.id)
                .join(Organisation, Project.organisation_id == Organisation.id)
                .where(SharedLink.id == link_id)
            )
            found = (await session.execute(statement)).one_or_none()
        if found is None:
            return None
        link, shared, project, networks = found
        if not (self._tokens.opens(token, link) or self._tokens.viewed(token, link)):
            return None
        if link.revoked_at is not None or link.expires_at <= utc_now() or shared.deleted_at is not None:
            raise LinkUnknownError
        if not client.is_within(networks):
            raise AddressNotAllowedError(client.address)
        return Viewer(link, shared, project)

    async def _check_password(self, link: SharedLink, stored: str, password: SecretStr | None, client: Client) -> None:
        if password is None:
            raise LinkPasswordError
        await self._attempts.open_link(link.id, client)
        if not await self._passwords.is_right(password.get_secret_value(), stored):
            raise LinkPasswordError
        await self._attempts.opened_link(link.id, client)


def demand_shareable(query: dict[str, Any]) -> ReadDocument:
    """Return a question whose answer tells nothing of single persons; raises `NotShareableError` for others."""
    read = ReadDocument(query)
    if not tells_of_many(read):
        raise NotShareableError
    return read


def _kind_shown(query: dict[str, Any]) -> str | None:
    try:
        return demand_shareable(query).document.kind
    except (NotShareableError, InvalidRequestError):
        return None
