"""Answers to query documents: the range, the statement, its rows, and the figures made of them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from api.insights.answers import Answers, Invalid, check_buckets, whole_days
from api.insights.figures import quarter_hour
from api.insights.meta import Meta
from api.insights.statements import Statement, Statements, Window
from api.queries import figures, funnel_figures, rows
from api.queries.answers import (
    Answer,
    BehindAnswer,
    CohortAnswer,
    EventsAnswer,
    FunnelAnswer,
    FunnelTimesAnswer,
    FunnelTrendAnswer,
    LifecycleAnswer,
    PathsAnswer,
    PersonAnswer,
    PersonsAnswer,
    PropertyValuesAnswer,
    RetentionAnswer,
    RevenueAnswer,
    StickinessAnswer,
    TrendAnswer,
    WebAnswer,
)
from api.queries.behind_documents import (
    BehindDocument,
    FunnelPersonsDocument,
    LifecyclePersonsDocument,
    RetentionPersonsDocument,
    StickinessPersonsDocument,
    TrendPersonsDocument,
)
from api.queries.behind_statements import BehindSql
from api.queries.documents import (
    FunnelDocument,
    FunnelTimesDocument,
    FunnelTrendDocument,
    InsightDocument,
    LifecycleDocument,
    PathsDocument,
    RetentionDocument,
    RevenueDocument,
    StickinessDocument,
    TrendDocument,
    WebDocument,
)
from api.queries.list_documents import (
    CohortDocument,
    EventsDocument,
    ListDocument,
    PersonDocument,
    PersonsDocument,
    PropertyValuesDocument,
)
from api.queries.list_statements import ListSql
from api.queries.naming import Naming, Question
from api.queries.range_documents import Ranged
from api.queries.ranges import ends_of
from api.queries.reading import ReadDocument, invalid_document
from api.queries.statements import QuerySql, is_of_sessions
from api.settings import ApiSettings
from core.clock import utc_now
from core.insights.faults import Fault
from core.insights.questions import Retention
from core.insights.reports import NO_CURRENCY
from core.metadata import Project
from core.problem import InvalidRequestError

# A month, and the hour by which clocks are set.
_LONGEST_BUCKET = timedelta(days=31, hours=1)
_Ranged = TypeVar("_Ranged", bound=Ranged)
_Asked = TypeVar("_Asked")


@dataclass(frozen=True, slots=True)
class _Found:
    """The rows that answer a document, and how it was understood."""

    rows: list[dict[str, Any]]
    meta: Meta
    window: Window
    now: datetime


class Queries:
    """Answers one project's query documents."""

    def __init__(self, settings: ApiSettings, answers: Answers, statements: Statements, naming: Naming) -> None:
        self._settings = settings
        self._answers = answers
        self._statements = statements
        self._naming = naming

    async def question(self, project: Project, read: ReadDocument) -> Question:
        """Return what a document asks, as `Naming.question` does."""
        return await self._naming.question(project, read)

    async def answer(self, project: Project, question: Question) -> Answer:
        """Return the answer to a question; raises `InvalidRequestError` for a range that makes no sense."""
        asked, cohorts = question.document, question.cohorts
        if isinstance(asked, BehindDocument):
            return await self._behind(project, BehindSql(self._statements, cohorts), asked)
        if isinstance(asked, ListDocument):
            settings = self._settings
            staging, intermediate = settings.staging_database, settings.intermediate_database
            lists = ListSql(self._statements, staging=staging, intermediate=intermediate, cohorts=cohorts)
            return await self._list(project, lists, asked)
        return await self._insight(project, QuerySql(self._statements, cohorts), asked)

    async def _insight(self, project: Project, sql: QuerySql, asked: InsightDocument) -> Answer:
        find = partial(self._find, project)
        match asked:
            case TrendDocument():
                found = await find(asked, sql.trend, None if asked.total else asked.interval)
                data = figures.trend_data(found.rows, asked, found.window, found.now)
                answer = TrendAnswer(kind=asked.kind, data=data, meta=found.meta)
            case FunnelDocument() | FunnelTrendDocument() | FunnelTimesDocument():
                return await self._funnel(project, sql, asked)
            case RetentionDocument():
                found = await find(asked, sql.retention, asked.period)
                data = figures.retention_data(found.rows, asked, found.window)
                answer = RetentionAnswer(kind=asked.kind, data=data, meta=found.meta)
            case LifecycleDocument():
                found = await find(asked, sql.lifecycle, asked.interval)
                data = figures.lifecycle_data(found.rows, asked, found.window)
                answer = LifecycleAnswer(kind=asked.kind, data=data, meta=found.meta)
            case StickinessDocument():
                found = await find(asked, sql.stickiness, asked.interval)
                data = figures.stickiness_data(found.rows, asked, found.window)
                answer = StickinessAnswer(kind=asked.kind, data=data, meta=found.meta)
            case PathsDocument():
                found = await find(asked, sql.paths)
                answer = PathsAnswer(kind=asked.kind, data=figures.paths_data(found.rows), meta=found.meta)
            case WebDocument():
                found = await find(asked, sql.web, None if asked.total else asked.interval)
                data = figures.web_data(found.rows, asked, found.window, found.now)
                answer = WebAnswer(kind=asked.kind, data=data, meta=found.meta)
            case RevenueDocument():
                found = await find(asked, sql.revenue, None if asked.total else asked.interval)
                if not (found.rows or asked.breakdown or asked.in_currency):
                    # Nothing came in, in no currency: the zeros are of the one that orders without one are in.
                    asked = asked.model_copy(update={"in_currency": asked.default_currency or NO_CURRENCY})
                    found = await find(asked, sql.revenue, None if asked.total else asked.interval)
                data = figures.revenue_data(found.rows, asked, found.window, found.now)
                answer = RevenueAnswer(kind=asked.kind, data=data, meta=found.meta)
        return answer

    async def _funnel(
        self,
        project: Project,
        sql: QuerySql,
        asked: FunnelDocument | FunnelTrendDocument | FunnelTimesDocument,
    ) -> Answer:
        find = partial(self._find, project)
        match asked:
            case FunnelDocument():
                found = await find(asked, sql.funnel)
                answer = FunnelAnswer(
                    kind=asked.kind, data=funnel_figures.funnel_data(found.rows, asked), meta=found.meta
                )
            case FunnelTrendDocument():
                found = await find(asked, sql.funnel_trend, asked.interval)
                data = funnel_figures.funnel_trend_data(found.rows, asked, found.window, found.now)
                answer = FunnelTrendAnswer(kind=asked.kind, data=data, meta=found.meta)
            case FunnelTimesDocument():
                found = await find(asked, sql.funnel_times)
                data = funnel_figures.funnel_times_data(found.rows, asked)
                answer = FunnelTimesAnswer(kind=asked.kind, data=data, meta=found.meta)
        return answer

    async def _list(self, project: Project, lists: ListSql, asked: ListDocument) -> Answer:
        find = partial(self._find, project)
        find_now = partial(self._find_now, project)
        match asked:
            case EventsDocument():
                found = await find(asked, lists.events)
                answer = EventsAnswer(kind=asked.kind, data=rows.events_data(found.rows, asked), meta=found.meta)
            case PersonsDocument():
                found = await find_now(asked, lists.persons)
                answer = PersonsAnswer(kind=asked.kind, data=rows.persons_data(found.rows, asked), meta=found.meta)
            case CohortDocument():
                found = await find_now(asked, lists.persons)
                answer = CohortAnswer(kind=asked.kind, data=rows.persons_data(found.rows, asked), meta=found.meta)
            case PersonDocument():
                found = await find_now(asked, lists.person)
                answer = PersonAnswer(kind=asked.kind, data=rows.person_data(found.rows), meta=found.meta)
            case PropertyValuesDocument():
                ask = find if asked.trait is None else find_now
                found = await ask(asked, lists.property_values)
                data = rows.property_values_data(found.rows, asked)
                answer = PropertyValuesAnswer(kind=asked.kind, data=data, meta=found.meta)
        return answer

    async def _behind(self, project: Project, sql: BehindSql, asked: BehindDocument) -> Answer:
        find = partial(self._find, project)
        match asked:
            case TrendPersonsDocument():
                found = await find(asked, sql.trend)
            case FunnelPersonsDocument():
                found = await find(asked, sql.funnel)
            case RetentionPersonsDocument():
                found = await find(asked, sql.retention, asked.period)
            case LifecyclePersonsDocument():
                found = await find(asked, sql.lifecycle, asked.interval)
            case StickinessPersonsDocument():
                found = await find(asked, sql.stickiness, asked.interval)
        return BehindAnswer(kind=asked.kind, data=rows.persons_data(found.rows, asked), meta=found.meta)

    async def _find(
        self,
        project: Project,
        asked: _Ranged,
        make: Callable[[Window, _Ranged, datetime], Statement],
        interval: str | None = None,
    ) -> _Found:
        """Ask the statement of a document about its range, which may hold so many buckets of the interval."""
        now = _minute(utc_now())
        first, last = ends_of(asked, project, now)
        invalid = _invalid_of(asked)
        window = await self._answers.window(project, first, last, invalid)
        _check_bucket(asked, window)
        if interval is not None:
            check_buckets(window, interval, self._settings.max_buckets, invalid)
            # Buckets end on a quarter of an hour in every zone, and equal questions stay equal for that long.
            now = quarter_hour(now)
        computed, meta = await self._answers.ask(
            project,
            window,
            lambda span: make(span, asked, now),
            whole_days(first, last),
            of_sessions=is_of_sessions(asked),
        )
        return _Found(computed.rows, meta, window, now)

    async def _find_now(
        self,
        project: Project,
        asked: _Asked,
        make: Callable[[Window, _Asked, datetime], Statement],
    ) -> _Found:
        """Ask the statement of a document about persons as the latest refresh knows them."""
        now = _minute(utc_now())
        window = Window(now, now, project.timezone, project.week_start)
        computed, meta = await self._answers.read(project, make(window, asked, now))
        return _Found(computed.rows, meta, window, now)


def _check_bucket(asked: Ranged, window: Window) -> None:
    """Refuse a bucket that the range does not touch, where one is named."""
    at: datetime | None = getattr(asked, "at", None)
    if at is not None and not window.start - _LONGEST_BUCKET < at < window.end:
        raise invalid_document(Fault(("at",), "no bucket of the range begins then", "value_error"))


def _minute(instant: datetime) -> datetime:
    """Cut to the minute, so that equal questions stay equal for that long."""
    return instant.replace(second=0, microsecond=0)


def _invalid_of(asked: Ranged) -> Invalid:
    """Return what makes the error for the range of a document, at the key that says it."""

    def invalid(name: str, message: str) -> InvalidRequestError:
        key = "last" if asked.last is not None else name
        if key == "interval" and isinstance(asked, Retention):
            key = "period"
        return invalid_document(Fault((key,), message, "value_error"))

    return invalid
