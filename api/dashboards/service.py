"""Keeps dashboards, and answers their tiles one by one."""

from collections.abc import Sequence

from api.access.principals import Client, DashboardAccess, UserPrincipal
from api.access.errors import PermissionMissingError
from api.errors import NotFoundError
from api.queries.reading import ReadDocument
from api.saved.contents import DashboardContent, InsightContent, InsightTile
from api.saved.objects import content_of, demand_version
from api.saved.service import Saved
from api.saved_insights.service import SavedInsights
from core.metadata import Project
from core.metadata.audit import Actor
from core.metadata.saved import SavedObject


class Dashboards:
    """The dashboards of one project."""

    def __init__(self, saved: Saved, insights: SavedInsights) -> None:
        self._saved = saved
        self._insights = insights

    async def granted(self, user: UserPrincipal, client: Client) -> list[SavedObject]:
        """Return the dashboards that were granted to somebody by themselves."""
        found: list[SavedObject] = []
        for access in user.with_dashboards().values():
            if access.dashboards and client.is_within(access.allowed_networks):
                found += await self._saved.find_all(access.project, access.dashboards, DashboardContent.kind)
        return found

    async def find(self, project: Project, dashboard_id: int) -> tuple[SavedObject, Sequence[SavedObject]]:
        """Return a dashboard and the insights of its tiles, those in the trash too; raises `NotFoundError`."""
        found = await self._saved.find(project, dashboard_id, {DashboardContent.kind})
        shown = content_of(found, DashboardContent).insight_ids()
        return found, await self._saved.find_all(project, shown, InsightContent.kind, with_trash=True)

    async def change(
        self, by: Actor, access: DashboardAccess, dashboard_id: int, content: DashboardContent, seen: int
    ) -> SavedObject:
        """Make another version of it; raises as `Saved.change` does.

        Raises `PermissionMissingError` where somebody who may change this dashboard alone would see more by it, or
        move it.
        """
        if "insights:write" not in access.in_project:
            found = await self._saved.find(access.project, dashboard_id, {DashboardContent.kind})
            demand_version(found, seen)
            before = content_of(found, DashboardContent)
            if content.insight_ids() - before.insight_ids() or content.folder_id != before.folder_id:
                raise PermissionMissingError("insights:write")
        return await self._saved.change(by, access.project, dashboard_id, content, seen)

    async def question(self, project: Project, dashboard_id: int, tile_id: str) -> tuple[SavedObject, ReadDocument]:
        """Return the insight of a tile and what it asks; raises `NotFoundError`, and `InTrashError` for an insight."""
        return await self._insights.question(project, await self._insight_of(project, dashboard_id, tile_id))

    async def _insight_of(self, project: Project, dashboard_id: int, tile_id: str) -> int:
        found = await self._saved.find(project, dashboard_id, {DashboardContent.kind})
        for tile in content_of(found, DashboardContent).tiles:
            if isinstance(tile, InsightTile) and tile.id == tile_id:
                return tile.insight_id
        raise NotFoundError("tile of an insight", tile_id)
