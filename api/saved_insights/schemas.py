"""Shapes of answers about saved insights."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from api.queries.answers import Answer
from api.saved.contents import InsightContent
from api.saved.schemas import SharedStamp, Stamp


class AskedInsight(InsightContent, Stamp):
    """A saved question that a dashboard asks."""


class SavedInsight(InsightContent, SharedStamp):
    """A question that was saved."""


class MaterialisedResult(BaseModel):
    """An answer that is to be kept, and of what it is the answer."""

    version: Annotated[int, Field(description="Version of the insight.")]
    question: Annotated[
        str, Field(description="Digest of all that was asked, cohorts, lists and the ends of its range included.")
    ]
    answer: Answer


class Materialisation(BaseModel):
    """What was made of an insight beforehand."""

    made_at: Annotated[datetime | None, Field(description="When it was tried last; null: never.")]
    answered_at: Annotated[
        datetime | None, Field(description="When the answer that is kept was made; null: there is none.")
    ]
    version: Annotated[int | None, Field(description="Of which version there is an answer; null: there is none.")]
    error: Annotated[str | None, Field(description="Why the last try made none; an answer of before is kept.")]
    is_given: Annotated[
        bool, Field(description="Whether `…/result` gives it: it is of what is asked now, and not too old.")
    ]
