"""Answers as tables: of each kind the list that holds its figures, with what is told of them one level up."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self, cast, get_args

from pydantic import BaseModel

from api.insights.meta import Meta
from api.insights.schemas import FunnelData, MartData, RetentionData, TimeseriesData
from api.queries.funnel_schemas import FunnelTimesData, FunnelTrendData, QueriedFunnelData
from api.queries.list_schemas import EventsData, PersonData, PersonsData, PropertyValuesData
from api.queries.schemas import (
    BreakdownValue,
    LifecycleData,
    PathsData,
    QueriedRetentionData,
    RevenueData,
    StickinessData,
    TrendData,
    WebData,
)
from api.sql.schemas import SqlAnswer, SqlMeta

# The way to the rows: the lists in which they are, from the outermost.
_WAYS: dict[type[BaseModel], tuple[str, ...]] = {
    TimeseriesData: ("buckets",),
    FunnelData: ("steps",),
    RetentionData: ("cohorts", "cells"),
    TrendData: ("lines", "points"),
    QueriedFunnelData: ("lines", "steps"),
    FunnelTrendData: ("lines", "buckets", "steps"),
    FunnelTimesData: ("lines", "bins"),
    QueriedRetentionData: ("lines", "cohorts", "cells"),
    LifecycleData: ("buckets",),
    StickinessData: ("counts",),
    PathsData: ("edges",),
    WebData: ("lines", "points"),
    RevenueData: ("lines", "points"),
    EventsData: ("events",),
    PersonsData: ("persons",),
    PersonData: ("person", "latest_events"),
    PropertyValuesData: ("values",),
}
_BREAKDOWN = "breakdown_"
# By the names of series, which become columns.
_FIGURES = "figures"
# What a reader wants to know of a row after its figures.
_LAST = ("is_complete", "period", "conversion")


class Answered(Protocol):
    """An answer: figures and where they come from."""

    @property
    def data(self) -> Any:
        """Return the figures."""
        ...

    @property
    def meta(self) -> Meta | SqlMeta:
        """Return where they come from."""
        ...

    model_dump_json: Callable[..., str]

    def model_copy(self, *, update: Mapping[str, Any] | None = None) -> Self:
        """Return it with other values."""
        ...


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of values: numbers, texts, truth, instants, lists and objects of JSON, or None."""

    columns: list[str]
    rows: list[list[Any]]
    is_truncated: bool = False
    """Whether there are more rows than were asked for."""


def table_of(answer: Answered) -> Table:
    """Return the figures of an answer as a table: what tells rows apart comes first, then figures."""
    data = answer.data
    if isinstance(answer, SqlAnswer):
        return Table([column.name for column in answer.data.columns], answer.data.rows, answer.meta.truncated)
    if isinstance(data, MartData):
        columns = [column.name for column in data.columns]
        return Table(columns, [[row[name] for name in columns] for row in data.rows], data.is_truncated)
    holder, way = (answer, ("data",)) if isinstance(data, list) else (data, _WAYS[type(data)])
    rows = [dict(row) for row in _rows(holder, way, {})]
    named = dict.fromkeys(_named(type(holder), way))
    found = {name: None for row in rows for name in row if name not in named}
    told = [name for name in found if name.startswith(_BREAKDOWN)]
    figures = [name for name in found if name not in told]
    last = [name for name in _LAST if name in named]
    columns = [*told, *(name for name in named if name not in last), *figures, *last]
    is_truncated = bool(getattr(data, "next", None) or getattr(data, "is_truncated", False))
    return Table(columns, [[row.get(name) for name in columns] for row in rows], is_truncated)


def _rows(holder: Any, way: tuple[str, ...], told: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    held: Any = getattr(holder, way[0])
    children: list[BaseModel] = held if isinstance(held, list) else [held] if held is not None else []
    for child in children:
        here = {**told, **dict(_cells(child, way[1] if way[1:] else None))}
        if way[1:]:
            yield from _rows(child, way[1:], here)
        else:
            yield here


def _cells(row: BaseModel, apart: str | None) -> Iterator[tuple[str, Any]]:
    """Yield what a row tells, without the list of rows in it and other lists of objects."""
    for name in type(row).model_fields:
        value = getattr(row, name)
        if name == apart:
            continue
        if name == _FIGURES:
            yield from value.items()
        elif not isinstance(value, list) or not value or not isinstance(value[0], BaseModel):
            if name != "breakdown":
                yield name, value
        elif isinstance(value[0], BreakdownValue):
            texts = cast("list[BreakdownValue]", value)
            yield from ((f"{_BREAKDOWN}{number}", each.text) for number, each in enumerate(texts, 1))


def _named(holder: Any, way: tuple[str, ...]) -> Iterator[str]:
    """Yield the columns that a table has with or without rows."""
    (child,) = (each for each in _models(holder.model_fields[way[0]].annotation))
    for name, field in child.model_fields.items():
        if name not in {_FIGURES, "breakdown", *way[1:2]} and not list(_models(field.annotation)):
            yield name
    if way[1:]:
        yield from _named(child, way[1:])


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)
