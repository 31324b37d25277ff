"""Shapes of the project answers."""

from typing import Annotated

from pydantic import BaseModel, Field


class ProjectSummary(BaseModel):
    """One project that the API key may see."""

    id: Annotated[int, Field(description="Stable number of the project.")]
    name: str
    timezone: Annotated[str, Field(description="IANA time zone in which days, weeks and months are cut.")]
    week_start: Annotated[int, Field(ge=1, le=7, description="First day of the week, ISO: 1 is Monday, 7 is Sunday.")]


class ProjectList(BaseModel):
    """Every project that the API key may see, by id."""

    projects: list[ProjectSummary]
