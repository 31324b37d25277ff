"""Shapes of requests and answers about all that is saved."""

from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from api.accounts.schemas import Sent
from api.saved.contents import Id, Kind, Tag
from core.metadata.saved import SavedObject

Limit = Annotated[int, Field(ge=1, le=500)]
Before = Annotated[int | None, Field(ge=1, le=2**31 - 1, description="`next` of the page before.")]


class Stamp(BaseModel):
    """Which thing it is, in which version, and by whom."""

    model_config = ConfigDict(extra="forbid")

    id: int
    version: Annotated[int, Field(description="Its number, from 1: the ETag.")]
    created_at: datetime
    created_by: Annotated[str, Field(description="E-mail address, or the beginning of an API key.")]
    updated_at: datetime
    updated_by: str


class SharedStamp(Stamp):
    """The same of what can be shared by link."""

    shared_links: Annotated[
        int,
        Field(
            description="Links that show it now, an insight also on dashboards: who changes it changes what they show."
        ),
    ]


Stamped = TypeVar("Stamped", bound=Stamp)


def stamped(kind: type[Stamped], found: SavedObject, **beside: int) -> Stamped:
    """Return something saved: its content beside its stamp."""
    return kind.model_validate({name: getattr(found, name) for name in Stamp.model_fields} | beside | found.content)


class SavedSummary(Stamp):
    """One thing that was saved, without what it shows."""

    kind: Kind
    name: Annotated[str, Field(description="Of an annotation: the beginning of its text.")]
    description: str
    tags: list[str]
    folder_id: int | None
    is_favourite: Annotated[bool, Field(description="Of whoever asks; never for an API key.")]
    deleted_at: datetime | None
    deleted_by: str | None


class SavedPage(BaseModel):
    """Saved things, the latest made first."""

    saved: list[SavedSummary]
    next: Annotated[int | None, Field(description="`before` of the next page; null: these were the last.")]


class SavedQuery(Sent):
    """Which saved things, and how many of them."""

    kind: Kind | None = None
    folder_id: Annotated[Id | None, Field(description="In this folder.")] = None
    tag: Tag | None = None
    search: Annotated[str | None, Field(min_length=1, max_length=200, description="Part of the name.")] = None
    favourites: Annotated[bool, Field(description="Only one's own favourites.")] = False
    trash: Annotated[bool, Field(description="What is in the trash instead.")] = False
    limit: Limit = 100
    before: Before = None


class VersionSummary(BaseModel):
    """One version: who made it, when, and what differs."""

    version: int
    at: datetime
    actor_kind: Literal["user", "api_key"]
    actor_id: int | None
    actor_name: str
    changed: Annotated[list[str], Field(description="Parts that differ from the version before.")]
    restored_from: Annotated[int | None, Field(description="The version that it has the content of again.")]


class VersionPage(BaseModel):
    """Versions, the latest first."""

    versions: list[VersionSummary]
    next: Annotated[int | None, Field(description="`before` of the next page; null: these were the last.")]


class VersionQuery(Sent):
    """How many versions."""

    limit: Limit = 100
    before: Before = None


class VersionShown(VersionSummary):
    """One version with its content."""

    content: Annotated[dict[str, Any], Field(description="As it can be sent to change the thing.")]


class VersionMade(BaseModel):
    """What came of it."""

    id: int
    version: Annotated[int, Field(description="The new version: the ETag.")]
    restored_from: Annotated[int | None, Field(description="The version that it has the content of again.")]
