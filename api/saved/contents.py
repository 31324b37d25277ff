"""What each kind of saved thing says of itself."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable
from datetime import datetime
from itertools import combinations
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints, WithJsonSchema, model_validator

from api.accounts.schemas import Body
from api.insights.moments import EARLIEST, LATEST, is_in_reach
from api.queries.examples import DOCUMENTS
from core.insights.filters import CohortName

Kind = Literal["insight", "cohort", "dashboard", "annotation", "folder"]
Id = Annotated[int, Field(ge=1, le=2**31 - 1)]
GRID_COLUMNS = 12
_MOST_TEXT = 200_000
QUERY_SCHEMA: dict[str, Any] = {"type": "object", "title": "QueryDocument"}
"""Stands for the schema of query documents, which the OpenAPI document has once."""


class Reference(NamedTuple):
    """Another saved thing that one names: at which place of its content, what it may be, and which."""

    place: tuple[str | int, ...]
    kinds: frozenset[str]
    id: int


def _sorted(tags: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(tags)))


def _in_reach(instant: datetime) -> datetime:
    if not is_in_reach(instant):
        raise ValueError(f"{instant.isoformat()} is not between {EARLIEST.year} and {LATEST.year}")
    return instant


Instant = Annotated[AwareDatetime, AfterValidator(_in_reach)]
_Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Description = Annotated[str, Field(max_length=5_000)]
Tag = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=50)]
Tags = Annotated[tuple[Tag, ...], Field(max_length=50), AfterValidator(_sorted)]


class Content(Body, ABC):
    """What a version holds."""

    kind: ClassVar[str]

    @abstractmethod
    def columns(self) -> dict[str, Any]:
        """Return what is kept in columns too, to look for it."""

    def references(self) -> Iterable[Reference]:
        """Return the saved things that it names."""
        return ()


class Filed(Content):
    """What has a name and lies in a folder."""

    name: Annotated[_Name, Field(examples=["Sign-up funnel"])]
    folder_id: Annotated[Id | None, Field(description="The folder that it is in; null: in none.")] = None

    def columns(self) -> dict[str, Any]:
        """Return its name and folder."""
        return {"name": self.name, "folder_id": self.folder_id}

    def references(self) -> Iterable[Reference]:
        """Return its folder."""
        if self.folder_id is not None:
            yield Reference(("folder_id",), frozenset({"folder"}), self.folder_id)


class FolderContent(Filed):
    """A folder."""

    kind: ClassVar[str] = "folder"


class Described(Filed):
    """What is described and tagged beside."""

    description: Description = ""
    tags: Annotated[Tags, Field(examples=[["growth"]])] = ()


class InsightContent(Described):
    """A question that was saved."""

    kind: ClassVar[str] = "insight"
    query: Annotated[dict[str, Any], WithJsonSchema(QUERY_SCHEMA | {"examples": [DOCUMENTS["funnel"]]})]
    """As it was sent. Whoever saves it has it checked; one of long ago may say what is no longer understood."""
    materialised: Annotated[
        bool,
        Field(description="Its answer is made beforehand, by a schedule: figures alone, without a breakdown."),
    ] = False


class CohortContent(Described):
    """Who is in a cohort, under the name by which query documents name it."""

    kind: ClassVar[str] = "cohort"
    name: Annotated[CohortName, Field(examples=["cohort_regulars"])]
    query: Annotated[dict[str, Any], WithJsonSchema(QUERY_SCHEMA | {"examples": [DOCUMENTS["cohort"]]})]
    """A query document of the kind `cohort`, as it was sent."""

    def columns(self) -> dict[str, Any]:
        """Return its name and folder; there is one of a name."""
        return super().columns() | {"key": self.name}


class _Placed(Body):
    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,50}$"), Field(description="Its name here.")]
    x: Annotated[int, Field(ge=0, lt=GRID_COLUMNS, description="Its first column, from 0.")]
    y: Annotated[int, Field(ge=0, le=10_000, description="Its first row, from 0.")]
    width: Annotated[int, Field(ge=1, le=GRID_COLUMNS, description="Of 12 columns.")]
    height: Annotated[int, Field(ge=1, le=100, description="In rows.")]

    @model_validator(mode="after")
    def _is_within(self) -> Self:
        if self.x + self.width > GRID_COLUMNS:
            raise ValueError(f"x + width is {self.x + self.width}: the grid has {GRID_COLUMNS} columns")
        return self

    def meets(self, other: "_Placed") -> bool:
        """Say whether two cover the same place."""
        beside = self.x + self.width <= other.x or other.x + other.width <= self.x
        return not beside and self.y < other.y + other.height and other.y < self.y + self.height


class InsightTile(_Placed):
    """A tile that shows the answer of a saved insight."""

    kind: Literal["insight"]
    insight_id: Id
    title: Annotated[str, Field(max_length=200, description="Instead of the insight's name; empty: that.")] = ""


class TextTile(_Placed):
    """A tile that shows a text."""

    kind: Literal["text"]
    text: Annotated[str, Field(max_length=20_000, description="Markdown.")]


Tile = Annotated[InsightTile | TextTile, Field(discriminator="kind")]


class DashboardContent(Described):
    """Tiles on a grid of 12 columns, none over another."""

    kind: ClassVar[str] = "dashboard"
    tiles: Annotated[tuple[Tile, ...], Field(max_length=100)] = ()

    @model_validator(mode="after")
    def _has_places_for_all(self) -> Self:
        for one, other in combinations(self.tiles, 2):
            if one.id == other.id:
                raise ValueError(f"two tiles are called {one.id!r}")
            if one.meets(other):
                raise ValueError(f"the tiles {one.id!r} and {other.id!r} lie over each other")
        if sum(len(tile.text) for tile in self.tiles if isinstance(tile, TextTile)) > _MOST_TEXT:
            raise ValueError(f"its texts have more than {_MOST_TEXT:,} characters")
        return self

    def insight_ids(self) -> set[int]:
        """Return the insights that its tiles show."""
        return {tile.insight_id for tile in self.tiles if isinstance(tile, InsightTile)}

    def references(self) -> Iterable[Reference]:
        """Return its folder and its insights."""
        yield from super().references()
        for place, tile in enumerate(self.tiles):
            if isinstance(tile, InsightTile):
                yield Reference(("tiles", place, "insight_id"), frozenset({"insight"}), tile.insight_id)


class AnnotationContent(Content):
    """A note on an instant or a range of time."""

    kind: ClassVar[str] = "annotation"
    text: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000), Field(examples=["Spring sale"])
    ]
    at: Annotated[
        Instant, Field(description="The instant, or the first one of the range.", examples=["2026-03-20T09:00:00Z"])
    ]
    until: Annotated[Instant | None, Field(description="End of the range, not included; null: an instant.")] = None
    about_id: Annotated[
        Id | None, Field(description="The dashboard or insight that it is about; null: all of the project.")
    ] = None

    @model_validator(mode="after")
    def _goes_forward(self) -> Self:
        if self.until is not None and self.until <= self.at:
            raise ValueError("until has to be after at")
        return self

    def columns(self) -> dict[str, Any]:
        """Return its beginning as its name, when it is, and what it is about."""
        return {
            "name": self.text[:200],
            "about_id": self.about_id,
            "starts_at": self.at,
            "ends_at": self.until,
        }

    def references(self) -> Iterable[Reference]:
        """Return what it is about."""
        if self.about_id is not None:
            yield Reference(("about_id",), frozenset({"dashboard", "insight"}), self.about_id)


class _Explained(Content):
    """What is known of an event or a property beside what was sent."""

    description: Description = ""
    tags: Tags = ()
    owner_id: Annotated[Id | None, Field(description="User id of the member whom to ask about it.")] = None
    is_hidden: Annotated[bool, Field(description="It is not to be offered where something is chosen.")] = False
    is_verified: Annotated[bool, Field(description="Somebody saw to it that it is sent as described.")] = False

    @abstractmethod
    def key(self) -> str:
        """Return what there is one description of."""


class EventContent(_Explained):
    """What an event means."""

    kind: ClassVar[str] = "event"
    event: Annotated[str, Field(min_length=1, max_length=1_000, examples=["purchase"])]

    def key(self) -> str:
        """Return the event's name."""
        return self.event

    def columns(self) -> dict[str, Any]:
        """Return its name."""
        return {"name": self.event}


PropertySource = Literal["event", "person", "group"]


class PropertyContent(_Explained):
    """What a property means, of all events alike, or a trait."""

    kind: ClassVar[str] = "property"
    property: Annotated[str, Field(min_length=1, max_length=1_000, examples=["total"])]
    source: Annotated[PropertySource, Field(description="Whose: event, or person or group for a trait.")] = "event"
    group_type: Annotated[str, Field(max_length=1_000, description="Of a trait of groups: of which.")] = ""

    @model_validator(mode="after")
    def _is_of_a_group(self) -> Self:
        if (self.source == "group") != bool(self.group_type):
            raise ValueError("group_type and source: group belong together")
        return self

    def key(self) -> str:
        """Return whose property it is, and its name."""
        return json.dumps([self.source, self.group_type, self.property], ensure_ascii=False)

    def columns(self) -> dict[str, Any]:
        """Return its name."""
        return {"name": self.property}


Explained = EventContent | PropertyContent
