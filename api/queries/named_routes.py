"""`/insights/activity` and `/insights/breakdown`: two query documents that are asked most, by name."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field, model_validator

from api.dependencies import Asking, asking_for
from api.insights.answers import invalid_parameter
from api.insights.schemas import EventName, RangeQuery
from api.problems import (
    INVALID,
    KEPT,
    TIMED_OUT,
    TOO_MANY_QUERIES,
    UNANSWERABLE,
    UNAUTHENTICATED,
    UNKNOWN_PROJECT,
)
from api.queries.answers import TrendAnswer
from api.queries.reading import ReadDocument
from api.queries.replies import reply_to
from core.insights.filters import Column, Name
from core.problem import InvalidRequestError

router = APIRouter(
    prefix="/v1/projects/{project_id}/insights",
    tags=["insights"],
    responses=UNAUTHENTICATED | UNKNOWN_PROJECT | INVALID | UNANSWERABLE | TIMED_OUT | TOO_MANY_QUERIES,
)
_AskingDep = Annotated[Asking, Depends(asking_for("data:query", is_noted=False))]
_TRAILING = {"daily": 1, "weekly": 7, "monthly": 30}


class ActivityQuery(RangeQuery):
    """Who was active, by one event or by any."""

    event: Annotated[EventName | None, Field(description="Name of the event; left out: any event.")] = None


class BreakdownQuery(RangeQuery):
    """What tells events apart: exactly one of a property, a column and a trait."""

    property: Annotated[Name | None, Field(description="Property of the event.")] = None
    column: Annotated[Column | None, Field(description="Column of `fct_events`.")] = None
    trait: Annotated[Name | None, Field(description="Current trait of the person.")] = None
    event: Annotated[EventName | None, Field(description="Name of the event; left out: any event.")] = None
    top: Annotated[int, Field(ge=1, le=100, description="How many values are shown; the rest is `(other)`.")] = 10

    def subject(self) -> dict[str, str]:
        """Return what tells apart, by its key."""
        keys = {"property": self.property, "column": self.column, "trait": self.trait}
        return {key: name for key, name in keys.items() if name is not None}

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if len(self.subject()) != 1:
            raise ValueError("exactly one of property, column and trait has to be given")
        return self


@router.get(
    "/activity",
    operation_id="query_activity",
    summary="Daily, weekly and monthly active persons",
    response_model=TrendAnswer,
    responses=KEPT,
)
async def query_activity(asking: _AskingDep, query: Annotated[ActivityQuery, Query()]) -> Response:
    """Count the persons of each day, and of the 7 and the 30 days that end with it."""
    series = [
        {"name": name, "measure": "persons", **({} if days == 1 else {"trailing": days}), **_of(query.event)}
        for name, days in _TRAILING.items()
    ]
    formulas = [{"name": "daily_of_monthly", "formula": "A / C"}]
    return await _reply(asking, query, {"interval": "day", "series": series, "formulas": formulas})


@router.get(
    "/breakdown",
    operation_id="query_breakdown",
    summary="Events and persons by the values of a property",
    response_model=TrendAnswer,
    responses=KEPT,
)
async def query_breakdown(asking: _AskingDep, query: Annotated[BreakdownQuery, Query()]) -> Response:
    """Count the events of the range and their persons by value: the most frequent ones, and the rest."""
    series = [
        {"name": name, "measure": name.partition("_")[2], **_of(query.event)}
        for name in ("total_events", "unique_persons")
    ]
    return await _reply(
        asking, query, {"total": True, "series": series, "breakdown": [query.subject()], "top": query.top}
    )


def _of(event: str | None) -> dict[str, str]:
    return {} if event is None else {"event": event}


async def _reply(asking: Asking, query: RangeQuery, asked: Mapping[str, Any]) -> Response:
    span = {"from": query.from_.isoformat(), "to": query.to.isoformat()}
    try:
        read = ReadDocument({"kind": "trend", **span, **asked})
        return await reply_to(asking, read, query.format_, explain=query.explain)
    except InvalidRequestError as error:
        # Whoever asks by name knows nothing of the document.
        first: dict[str, str] = error.extra["errors"][0]
        name = first["pointer"].removeprefix("/")
        raise invalid_parameter(name if name in span else "to", first["message"]) from error
