"""The query documents that ask who stands behind a figure, as SQL: the persons of that figure, a page of them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from api.insights.macros import Argument
from api.insights.moments import literal
from api.insights.statements import END, NOW, PROJECT, START, TIMEZONE, WEEK_START, Statement, Statements, Window
from api.queries.behind_documents import (
    BehindDocument,
    BreakdownChoice,
    FunnelPersonsDocument,
    LifecyclePersonsDocument,
    RetentionPersonsDocument,
    StickinessPersonsDocument,
    TrendPersonsDocument,
)
from api.queries.list_statements import person_list
from api.queries.making import Making
from api.queries.naming import SavedCohorts
from api.queries.statements import activity_of, attempts_of, retention_of_days
from core.insights.arguments import retention_arguments, retention_is_of_days

_CALENDAR: dict[str, Argument] = {"timezone": TIMEZONE, "week_start": WEEK_START}


class BehindSql:
    """Renders who stands behind a figure, among the persons as the latest refresh made them."""

    def __init__(self, statements: Statements, cohorts: SavedCohorts) -> None:
        self._statements = statements
        self._cohorts = cohorts

    def trend(self, window: Window, asked: TrendPersonsDocument, now: datetime) -> Statement:
        """Rows of `insights_person_list`: who did what a series counts."""

        def who(making: Making) -> str:
            return making.statements.render(
                "insights_persons_of_events",
                relation=making.events(),
                project=PROJECT,
                start=START,
                end=END,
                condition=asked.events.sql(making.scope),
            )

        return self._listed(window, asked, now, who)

    def funnel(self, window: Window, asked: FunnelPersonsDocument, now: datetime) -> Statement:
        """Rows of `insights_person_list`: who reached a step, or was lost after it."""

        def who(making: Making) -> str:
            actors = making.statements.render(
                "insights_funnel_actors",
                **attempts_of(making, asked),
                start=START,
                end=END,
                now=NOW,
                step=making.bind(asked.step, "UInt8"),
                lost=asked.is_lost,
            )
            chosen = [] if asked.value is None else [_is_value(making, asked.value)]
            if asked.at is not None:
                render, at = making.statements.render, _instant(making, asked.at)
                named = render("insights_named_bucket", at=at, interval=asked.interval, **_CALENDAR)
                bucket = render("insights_bucket", instant="entered_at", interval=asked.interval, **_CALENDAR)
                chosen.append(f"{bucket} = {named}")
            return f"select actor from ({actors}) as reached where {' and '.join(chosen) or 'true'}"  # noqa: S608 - of macros

        return self._listed(window, asked, now, who)

    def retention(self, window: Window, asked: RetentionPersonsDocument, now: datetime) -> Statement:
        """Rows of `insights_person_list`: who of a cohort came back in a period."""
        is_of_days = window.days is not None and retention_is_of_days(asked)
        return self._listed(window, asked, now, partial(_of_days if is_of_days else _of_events, asked))

    def lifecycle(self, window: Window, asked: LifecyclePersonsDocument, now: datetime) -> Statement:
        """Rows of `insights_person_list`: who has a status in a bucket."""

        def who(making: Making) -> str:
            return making.statements.render(
                "insights_lifecycle_persons",
                activity=activity_of(making, asked, start=None),
                at=_instant(making, asked.at),
                interval=asked.interval,
                status=asked.status,
                **_CALENDAR,
            )

        return self._listed(window, asked, now, who)

    def stickiness(self, window: Window, asked: StickinessPersonsDocument, now: datetime) -> Statement:
        """Rows of `insights_person_list`: who was active in so many buckets."""

        def who(making: Making) -> str:
            return making.statements.render(
                "insights_stickiness_persons",
                activity=activity_of(making, asked, start=START),
                start=START,
                end=END,
                interval=asked.interval,
                buckets=making.bind(asked.buckets, "UInt32"),
                at_least=asked.or_more,
                **_CALENDAR,
            )

        return self._listed(window, asked, now, who)

    def _listed(self, window: Window, asked: BehindDocument, now: datetime, who: Callable[[Making], str]) -> Statement:
        making = Making(self._statements, replace(window, unmodelled=None), now, self._cohorts)
        return person_list(making, [], asked, actors=who(making))


def _of_events(asked: RetentionPersonsDocument, making: Making) -> str:
    arguments = making.bound(retention_arguments(asked, making.scope))
    arguments.pop("top", None)
    if asked.value is not None:
        text = "" if asked.value.kind == "none" else asked.value.text
        arguments["value_condition"] = f"start_value = {making.bind(text, 'String')}"
    return making.statements.render(
        "insights_retention_persons",
        project=PROJECT,
        relation=making.events(asked.breakdown),
        **arguments,
        start=START,
        end=END,
        at=_instant(making, asked.at),
        period_index=making.bind(asked.period_index, "UInt16"),
        **_CALENDAR,
    )


def _of_days(asked: RetentionPersonsDocument, making: Making) -> str:
    index = asked.period_index
    distances = {"on": (index, index), "on_or_after": (index, None), "brackets": (0, 0)}[asked.return_rule]
    if asked.brackets and index:
        distances = asked.brackets[index - 1]
    first, last = distances if index else (None, None)
    return making.statements.render(
        "insights_retention_persons_of_activity",
        **retention_of_days(making, asked, asked.start.sql(making.scope), asked.returning.sql(making.scope)),
        at=_instant(making, asked.at),
        period=asked.period,
        first_distance=None if first is None else making.bind(first, "UInt16"),
        last_distance=None if last is None else making.bind(last, "UInt16"),
        cohort=asked.cohort,
        **_CALENDAR,
    )


def _is_value(making: Making, value: BreakdownChoice) -> str:
    kind, text = making.bind(value.kind, "String"), making.bind(value.text, "String")
    # What is shown of a missing value and of the rest is a word of the answer's.
    return f"breakdown_kind = {kind} and (breakdown_kind != 'value' or breakdown = {text})"


def _instant(making: Making, instant: datetime) -> str:
    return making.bind(literal(instant.astimezone(UTC)), "DateTime64(3, 'UTC')")
