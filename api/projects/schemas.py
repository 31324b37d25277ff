"""Shapes of requests and answers about projects."""

from typing import Annotated

from pydantic import BaseModel, Field

from api.accounts.schemas import Body

_Name = Annotated[str, Field(min_length=1, max_length=200, examples=["Shop"])]
_Zone = Annotated[
    str, Field(min_length=1, max_length=100, description="IANA time zone in which days, weeks and months are cut.")
]
_WeekStart = Annotated[int, Field(ge=1, le=7, description="First day of the week, ISO: 1 is Monday, 7 is Sunday.")]
_Gap = Annotated[
    int, Field(ge=1, le=1439, description="A pause of so many minutes between two events starts a new session.")
]


class ProjectSummary(BaseModel):
    """One project that whoever asks may see."""

    id: Annotated[int, Field(description="Stable number of the project.")]
    name: str
    timezone: Annotated[str, Field(description="IANA time zone in which days, weeks and months are cut.")]
    week_start: _WeekStart


class ProjectList(BaseModel):
    """Every project that whoever asks may see, by id."""

    projects: list[ProjectSummary]


class NewProject(Body):
    """A project."""

    name: _Name
    timezone: _Zone = "UTC"
    week_start: _WeekStart = 1
    session_gap_minutes: _Gap = 30


class ProjectChange(Body):
    """What is changed of a project; what is left out stays."""

    name: _Name | None = None
    timezone: _Zone | None = None
    week_start: _WeekStart | None = None
    session_gap_minutes: _Gap | None = None
