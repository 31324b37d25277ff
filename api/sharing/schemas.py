"""Shapes of requests and answers about shared links, and what whoever has one is shown."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, Field

from api.accounts.schemas import Body, NewPassword, Password, Sent
from api.queries.funnel_schemas import FunnelTimesData, FunnelTrendData, QueriedFunnelData
from api.queries.schemas import (
    LifecycleData,
    PathsData,
    QueriedRetentionData,
    RevenueData,
    StickinessData,
    TrendData,
    WebData,
)
from api.saved.contents import Id, TextTile
from api.saved.schemas import Before, Limit

_Shared = Literal["dashboard", "insight"]
_Kind = Literal[
    "trend",
    "funnel",
    "funnel_trend",
    "funnel_times",
    "retention",
    "lifecycle",
    "stickiness",
    "paths",
    "web",
    "revenue",
]


class NewLink(Body):
    """How long a link works, and whether it wants a password."""

    expires_at: Annotated[
        AwareDatetime,
        Field(description="It works before this instant; within 366 days.", examples=["2026-12-31T23:00:00Z"]),
    ]
    password: Annotated[NewPassword | None, Field(description="12 to 256 characters; null: the link is enough.")] = None


class LinkShown(BaseModel):
    """One link. Who may make links sees them whole: they are signed, and kept nowhere."""

    id: int
    object_id: Annotated[int, Field(description="The dashboard or insight that it shows.")]
    kind: _Shared
    name: str
    url: Annotated[str, Field(description="What stands behind `#shared=` is the token for POST /v1/shared/open.")]
    has_password: bool
    created_at: datetime
    created_by: str
    expires_at: datetime


class LinkPage(BaseModel):
    """Links that were not revoked, the latest first; those that have expired too."""

    links: list[LinkShown]
    next: Annotated[int | None, Field(description="`before` of the next page; null: these were the last.")]


class LinkQuery(Sent):
    """Which links, and how many of them."""

    object_id: Annotated[Id | None, Field(description="To this dashboard or insight; null: all of the project.")] = None
    limit: Limit = 100
    before: Before = None


class OpenLink(Body):
    """The token of a link, and its password if it has one."""

    token: Annotated[str, Field(min_length=1, max_length=200, examples=["sl_1_" + "0" * 64])]
    password: Password | None = None


class LinkOpened(BaseModel):
    """What to ask with."""

    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the name of the scheme
    access_token: Annotated[str, Field(description="For GET /v1/shared and /v1/shared/result, for an hour.")]
    expires_at: datetime


class SharedTile(BaseModel):
    """A tile that shows the answer of an insight."""

    kind: Literal["insight"] = "insight"
    id: str
    x: int
    y: int
    width: int
    height: int
    name: str
    query_kind: Annotated[_Kind | None, Field(description="null: its answer is not shown by link.")]
    is_in_trash: Annotated[bool, Field(description="Its insight is in the trash, and shown again when it is not.")]


class Shared(BaseModel):
    """A dashboard, or an insight, as whoever has a link sees it."""

    kind: _Shared
    name: str
    description: str
    timezone: Annotated[str, Field(description="IANA time zone in which days, weeks and months are cut.")]
    query_kind: Annotated[_Kind | None, Field(description="Of an insight: what its answer is.")]
    tiles: list[Annotated[SharedTile | TextTile, Field(discriminator="kind")]]


class SharedQuery(Sent):
    """Whose answer."""

    tile: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9_-]{1,50}$", description="Of a dashboard: which tile.")] = (
        None
    )


class SharedResult(BaseModel):
    """Figures alone: neither the question nor the statement, which may name persons."""

    kind: _Kind
    data: (
        TrendData
        | QueriedFunnelData
        | FunnelTrendData
        | FunnelTimesData
        | QueriedRetentionData
        | LifecycleData
        | StickinessData
        | PathsData
        | WebData
        | RevenueData
    )
    computed_at: datetime
    fresh_until: datetime | None
