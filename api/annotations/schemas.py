"""Shapes of requests and answers about annotations."""

from typing import Annotated

from pydantic import BaseModel, Field

from api.accounts.schemas import Sent
from api.saved.contents import AnnotationContent, Id, Instant
from api.saved.schemas import Before, Limit, Stamp


class Annotation(AnnotationContent, Stamp):
    """A note on an instant or a range of time."""


class AnnotationPage(BaseModel):
    """Annotations, the latest made first."""

    annotations: list[Annotation]
    next: Annotated[int | None, Field(description="`before` of the next page; null: these were the last.")]


class AnnotationQuery(Sent):
    """Which annotations, and how many of them."""

    since: Annotated[Instant | None, Field(description="That are at this instant or later, or end later.")] = None
    until: Annotated[Instant | None, Field(description="That begin before this instant.")] = None
    about_id: Annotated[
        Id | None, Field(description="About this dashboard or insight, and about all of the project; null: any.")
    ] = None
    limit: Limit = 100
    before: Before = None
