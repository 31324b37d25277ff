"""Shapes of answers about dashboards."""

from typing import Annotated

from pydantic import BaseModel, Field

from api.saved.contents import DashboardContent
from api.saved.schemas import SharedStamp
from api.saved_insights.schemas import AskedInsight


class Dashboard(DashboardContent, SharedStamp):
    """A dashboard."""


class DashboardShown(Dashboard):
    """A dashboard with what its tiles ask."""

    insights: Annotated[
        list[AskedInsight], Field(description="Those of its tiles, once each; one that is in the trash is missing.")
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
