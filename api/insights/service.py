"""Insight answers: the range in the project's zone, the statement, its rows, and the figures made of them."""

from datetime import datetime, timedelta

from api.data_state import DataState
from api.errors import NotModelledYetError
from api.insights.answers import Answers, check_buckets, whole_days
from api.insights.defined import DefinedInsights, shown_columns
from api.insights.figures import average_of, local, quarter_hour, rate
from api.insights.queries import InsightSql
from api.insights.schemas import (
    Bucket,
    Defined,
    DefinedList,
    EventCount,
    EventNames,
    Funnel,
    FunnelData,
    FunnelQuery,
    FunnelStep,
    Mart,
    MartColumn,
    MartData,
    MartQuery,
    RangeQuery,
    Retention,
    RetentionCell,
    RetentionCohort,
    RetentionData,
    RetentionQuery,
    Timeseries,
    TimeseriesData,
    TimeseriesQuery,
)
from api.settings import ApiSettings
from core.clock import utc_now
from core.insights.durations import duration_ms
from core.insights.mart_models import model_of
from core.metadata import Project


class Insights:
    """Answers one project's questions. Every method raises `InvalidRequestError` for a range that makes no sense."""

    def __init__(
        self,
        settings: ApiSettings,
        state: DataState,
        answers: Answers,
        sql: InsightSql,
        defined: DefinedInsights,
    ) -> None:
        self._settings = settings
        self._state = state
        self._answers = answers
        self._sql = sql
        self._defined = defined

    async def event_names(self, project: Project, query: RangeQuery) -> EventNames:
        """Count events and persons by event name."""
        window = await self._answers.window(project, query.from_, query.to)
        computed, meta = await self._answers.ask(
            project, window, self._sql.event_names, whole_days(query.from_, query.to)
        )
        return EventNames(data=[EventCount(**row) for row in computed.rows], meta=meta)

    async def timeseries(self, project: Project, query: TimeseriesQuery) -> Timeseries:
        """Count one measure per bucket of the range, gaps as 0."""
        window = await self._answers.window(project, query.from_, query.to)
        check_buckets(window, query.interval, self._settings.max_buckets)
        computed, meta = await self._answers.ask(
            project,
            window,
            lambda span: self._sql.timeseries(span, query),
            whole_days(query.from_, query.to),
            of_sessions=query.measure == "sessions",
        )
        now = utc_now()
        buckets: list[Bucket] = []
        for row in computed.rows:
            start, end = datetime.fromisoformat(row["bucket"]), datetime.fromisoformat(row["bucket_end"])
            is_complete = window.start <= start and end <= min(window.end, now)
            buckets.append(Bucket(start=local(start, row), value=row["value"], is_complete=is_complete))
        data = TimeseriesData(
            event=query.event,
            interval=query.interval,
            measure=query.measure,
            timezone=project.timezone,
            buckets=buckets,
        )
        return Timeseries(data=data, meta=meta)

    async def funnel(self, project: Project, query: FunnelQuery) -> Funnel:
        """Count persons at each step by their best attempt; the range selects entries."""
        window = await self._answers.window(project, query.from_, query.to)
        computed, meta = await self._answers.ask(project, window, lambda span: self._sql.funnel(span, query))
        by_step = {int(row["step"]): row for row in computed.rows}
        steps: list[FunnelStep] = []
        for number, event in enumerate(query.step, start=1):
            row = by_step.get(number, {})
            persons = int(row.get("persons", 0))
            previous = steps[-1].persons if steps else None
            steps.append(
                FunnelStep(
                    step=number,
                    event=event,
                    persons=persons,
                    dropped_off=0 if previous is None else previous - persons,
                    conversion_from_first=rate(persons, steps[0].persons if steps else persons),
                    conversion_from_previous=None if previous is None else rate(persons, previous),
                    median_ms=_duration(row.get("median_ms"), persons, number),
                    average_ms=_duration(row.get("avg_ms"), persons, number),
                )
            )
        data = FunnelData(
            order="ordered",
            attempts="best",
            window_ms=duration_ms(query.window),
            is_complete=utc_now() - window.end > timedelta(milliseconds=duration_ms(query.window)),
            conversion=steps[-1].conversion_from_first,
            steps=steps,
        )
        return Funnel(data=data, meta=meta)

    async def retention(self, project: Project, query: RetentionQuery) -> Retention:
        """Follow first-time cohorts over calendar periods; averages leave out cells that have not ended."""
        window = await self._answers.window(project, query.from_, query.to)
        now = quarter_hour(utc_now())
        computed, meta = await self._answers.ask(
            project, window, lambda span: self._sql.retention(span, query, now), whole_days(query.from_, query.to)
        )
        cohorts: dict[str, RetentionCohort] = {}
        for row in computed.rows:
            cohort = cohorts.setdefault(
                row["cohort"],
                RetentionCohort(
                    start=local(datetime.fromisoformat(row["cohort"]), row), size=row["cohort_size"], cells=[]
                ),
            )
            cohort.cells.append(
                RetentionCell(
                    period_index=row["period_index"],
                    persons=row["persons"],
                    rate=rate(row["persons"], row["cohort_size"]),
                    is_complete=bool(row["is_complete"]),
                )
            )
        grid = list(cohorts.values())
        data = RetentionData(
            start_event=query.start_event,
            return_event=query.return_event,
            period=query.period,
            timezone=project.timezone,
            cohort="first_time",
            clock="calendar",
            return_rule="on",
            cohorts=grid,
            averages=[average_of(grid, index) for index in range(query.periods + 1)],
        )
        return Retention(data=data, meta=meta)

    def defined(self, project: Project) -> DefinedList:
        """List the insights that are defined in files and hold for the project."""
        found = [
            Defined(name=each.name, kind=each.definition.kind, description=each.definition.description)
            for each in self._defined.of_project(project.id)
        ]
        return DefinedList(data=found)

    async def mart(self, project: Project, name: str, query: MartQuery) -> Mart:
        """Return the rows of a defined insight's mart.

        Raises `InsightNotFoundError`, and `NotModelledYetError` until a refresh has built what the file says now.
        """
        insight = self._defined.find(project.id, name)
        if insight.version not in await self._state.comment(insight.name):
            raise NotModelledYetError(f"{insight.name} as it is defined now")
        computed, meta = await self._answers.read(project, self._defined.rows(insight, query.limit))
        data = MartData(
            name=insight.name,
            kind=insight.definition.kind,
            description=insight.definition.description,
            # With its defaults, so that a chart can say by which rules it was counted.
            definition=insight.definition.model_dump(mode="json", exclude_none=True, exclude={"projects"}),
            columns=[
                MartColumn(name=name, type=kind, description=description)
                for name, kind, description in shown_columns(model_of(insight.definition))
            ],
            rows=computed.rows[: query.limit],
            is_truncated=len(computed.rows) > query.limit,
        )
        return Mart(data=data, meta=meta)


def _duration(value: float | None, persons: int, step: int) -> float | None:
    return None if value is None or step == 1 or persons == 0 else float(value)
