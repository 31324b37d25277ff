"""The answers to query documents: of each kind its figures, and `meta` with their origin."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from api.insights.meta import Meta
from api.queries.funnel_schemas import FunnelTimesData, FunnelTrendData, QueriedFunnelData
from api.queries.list_schemas import EventsData, PersonData, PersonsData, PropertyValuesData
from api.queries.schemas import (
    LifecycleData,
    PathsData,
    QueriedRetentionData,
    RevenueData,
    StickinessData,
    TrendData,
    WebData,
)


class TrendAnswer(BaseModel):
    """The answer to a trend."""

    kind: Literal["trend"]
    data: TrendData
    meta: Meta


class FunnelAnswer(BaseModel):
    """The answer to a funnel."""

    kind: Literal["funnel"]
    data: QueriedFunnelData
    meta: Meta


class FunnelTrendAnswer(BaseModel):
    """The answer to a funnel over time."""

    kind: Literal["funnel_trend"]
    data: FunnelTrendData
    meta: Meta


class FunnelTimesAnswer(BaseModel):
    """The answer to the question how long persons take."""

    kind: Literal["funnel_times"]
    data: FunnelTimesData
    meta: Meta


class RetentionAnswer(BaseModel):
    """The answer to a retention."""

    kind: Literal["retention"]
    data: QueriedRetentionData
    meta: Meta


class LifecycleAnswer(BaseModel):
    """The answer to a lifecycle."""

    kind: Literal["lifecycle"]
    data: LifecycleData
    meta: Meta


class StickinessAnswer(BaseModel):
    """The answer to a stickiness."""

    kind: Literal["stickiness"]
    data: StickinessData
    meta: Meta


class PathsAnswer(BaseModel):
    """The answer to paths."""

    kind: Literal["paths"]
    data: PathsData
    meta: Meta


class WebAnswer(BaseModel):
    """The answer to web analytics."""

    kind: Literal["web"]
    data: WebData
    meta: Meta


class RevenueAnswer(BaseModel):
    """The answer to revenue."""

    kind: Literal["revenue"]
    data: RevenueData
    meta: Meta


class EventsAnswer(BaseModel):
    """The answer to a list of events."""

    kind: Literal["events"]
    data: EventsData
    meta: Meta


class PersonsAnswer(BaseModel):
    """The answer to a list of persons."""

    kind: Literal["persons"]
    data: PersonsData
    meta: Meta


class BehindAnswer(BaseModel):
    """The answer to the question who stands behind a figure."""

    kind: Literal["trend_persons", "funnel_persons", "retention_persons", "lifecycle_persons", "stickiness_persons"]
    data: PersonsData
    meta: Meta


class PersonAnswer(BaseModel):
    """The answer to the question for a person."""

    kind: Literal["person"]
    data: PersonData
    meta: Meta


class PropertyValuesAnswer(BaseModel):
    """The answer to the question for values."""

    kind: Literal["property_values"]
    data: PropertyValuesData
    meta: Meta


class CohortAnswer(BaseModel):
    """The answer to a cohort."""

    kind: Literal["cohort"]
    data: PersonsData
    meta: Meta


Answer = Annotated[
    TrendAnswer
    | FunnelAnswer
    | FunnelTrendAnswer
    | FunnelTimesAnswer
    | RetentionAnswer
    | LifecycleAnswer
    | StickinessAnswer
    | PathsAnswer
    | WebAnswer
    | RevenueAnswer
    | EventsAnswer
    | PersonsAnswer
    | PersonAnswer
    | PropertyValuesAnswer
    | CohortAnswer
    | BehindAnswer,
    Field(discriminator="kind"),
]
