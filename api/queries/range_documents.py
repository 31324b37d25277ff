"""The range of a query document, as it says it."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from api.insights.moments import Moment
from core.insights.filters import Document
from core.insights.selections import Interval, Last


class Ranged(Document):
    """The range: `from` and `to`, half-open, or the `last` so many buckets up to the present one."""

    from_: Annotated[
        Moment | None, Field(alias="from", description="First instant, or first day in the project's zone: included.")
    ] = None
    to: Annotated[
        Moment | None, Field(description="Last instant, or last day in the project's zone: not included.")
    ] = None
    last: Annotated[
        Last | None, Field(description="How many buckets of the interval (else days), up to the present one.")
    ] = None

    @property
    def unit(self) -> Interval:
        """Return what `last` counts."""
        return "day"

    @model_validator(mode="after")
    def _is_one_range(self) -> Self:
        if self._given() not in ([True, True, False], [False, False, True]):
            raise ValueError("the range is from and to, or last: give one of the two")
        return self

    def _given(self) -> list[bool]:
        return [value is not None for value in (self.from_, self.to, self.last)]


class InBuckets(Ranged):
    """A range that is cut into buckets of an interval."""

    interval: Annotated[Interval, Field(description="Length of a bucket, cut in the project's zone.")] = "day"

    @property
    def unit(self) -> Interval:
        """Return what `last` counts."""
        return self.interval
