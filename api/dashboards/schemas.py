"""Shapes of answers about dashboards."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from api.saved.contents import DashboardContent
from api.saved.schemas import SharedStamp
from api.saved_insights.schemas import AskedInsight


class Dashboard(DashboardContent, SharedStamp):
    """A dashboard."""


class TrashedInsight(BaseModel):
    """An insight of a tile that has no result until somebody takes it out of the trash."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    deleted_at: datetime
    deleted_by: str


class DashboardShown(Dashboard):
    """A dashboard with what its tiles ask."""

    insights: Annotated[list[AskedInsight], Field(description="Those of its tiles, once each, but those in the trash.")]
    insights_in_trash: Annotated[
        list[TrashedInsight],
        Field(description="Those of its tiles that are in the trash: `POST …/trash/{id}/recover` takes them out."),
    ]


class GrantedDashboard(BaseModel):
    """A dashboard that was granted to whoever asks."""

    project_id: int
    id: int
    name: str
    description: str


class GrantedDashboards(BaseModel):
    """Dashboards that were granted by themselves, by project."""

    dashboards: list[GrantedDashboard]
