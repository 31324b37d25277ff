"""The query documents that ask for lists: events, persons, and values of properties."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from api.queries.cursors import position
from api.queries.range_documents import Ranged
from core.insights.cohorts import CohortQuestion, Criterion
from core.insights.filters import Document, Name, Subject
from core.insights.selections import Selection, ShortSelection

PersonNumber = Annotated[int, Field(ge=0, lt=2**32, description="Number of the person, as answers give it.")]


class Page(Document):
    """Which rows of a list are wanted."""

    limit: Annotated[int, Field(ge=1, le=1000, description="Most rows to return.")] = 100
    after: Annotated[str | None, Field(description="`next` of the page before.")] = None


class EventsDocument(Ranged, Page):
    """The events of the range, the latest first."""

    kind: Literal["events"]
    events: ShortSelection = Selection()
    person_number: Annotated[PersonNumber | None, Field(description="Of this person alone.")] = None

    @field_validator("after")
    @classmethod
    def _is_of_an_event(cls, after: str | None) -> str | None:
        if after is not None:
            position(after, str)
        return after


class OfPersons(Page):
    """Which of a list of persons are wanted."""

    @field_validator("group_type", check_fields=False)
    @classmethod
    def _are_persons(cls, group_type: str | None) -> str | None:
        if group_type is not None:
            raise ValueError("groups are counted, and persons listed")
        return group_type

    @field_validator("after", check_fields=False)
    @classmethod
    def _is_of_a_person(cls, after: str | None) -> str | None:
        if after is not None:
            position(after, int)
        return after


class PersonsDocument(OfPersons):
    """Persons as the latest refresh knows them, who was seen last first."""

    kind: Literal["persons"]
    who: Annotated[tuple[Criterion, ...], Field(description="Criteria of a cohort that all have to be met.")] = ()
    search: Annotated[Name | None, Field(description="Part of the person's id, whatever the case.")] = None


class CohortDocument(CohortQuestion, OfPersons):
    """Who would be in a cohort now: how many, and its members, who was seen last first."""


class PersonDocument(Document):
    """One person, by exactly one id, with traits, ids and latest events."""

    kind: Literal["person"]
    person_number: PersonNumber | None = None
    user_id: Annotated[Name | None, Field(description="One that was merged into another user is that one.")] = None
    anonymous_id: Annotated[
        Name | None, Field(description="Of a device: the user to whom it was linked last, or the anonymous person.")
    ] = None
    events: Annotated[int, Field(ge=0, le=1000, description="How many of the latest events.")] = 20

    @model_validator(mode="after")
    def _names_one_person(self) -> Self:
        if sum(name is not None for name in (self.person_number, self.user_id, self.anonymous_id)) != 1:
            raise ValueError("exactly one of person_number, user_id and anonymous_id has to be given")
        return self


class PropertyValuesDocument(Subject, Ranged):
    """The values of a property or column among the events of the range, or of a trait among all persons."""

    kind: Literal["property_values"]
    events: ShortSelection = Selection()
    search: Annotated[Name | None, Field(description="Part of the value, whatever the case.")] = None
    limit: Annotated[int, Field(ge=1, le=1000, description="Most values to return.")] = 100

    @model_validator(mode="after")
    def _is_one_range(self) -> Self:
        if self.trait is None and self._given() not in ([True, True, False], [False, False, True]):
            raise ValueError("the range is from and to, or last: give one of the two")
        if self.trait is not None and (any(self._given()) or self.events != Selection()):
            raise ValueError("traits are as persons have them now: no range, and no events")
        return self


ListDocument = EventsDocument | PersonsDocument | PersonDocument | PropertyValuesDocument | CohortDocument
