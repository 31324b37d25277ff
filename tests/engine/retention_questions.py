"""Questions about retention, as the reference takes them and as the macros do."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from engine.activity import MOMENTS, REACH, ZONES, instant, moments
from engine.renderings import Bind
from reference.calendar_buckets import bucket, bucket_start, following
from reference.events import Counted
from reference.retention import Retention, RetentionCell

BRACKETS = [((1, 1), (2, 4)), ((2, 2),), ((0, 1), (1, 3), (5, 6))]
VALUES = ["", "x", "y", "(other)", "(none)"]


@dataclass(frozen=True, kw_only=True)
class Question:
    """A history and what is asked of it; `starts` and `returns` name events, None means any."""

    history: list[Counted]
    starts: str | None
    returns: str | None
    start: datetime
    end: datetime
    period: str
    zone: ZoneInfo
    periods: int
    now: datetime
    week_start: int = 1
    cohort: str = "first_time"
    clock: str = "calendar"
    rule: str = "on"
    brackets: Sequence[tuple[int, int]] = ((1, 1),)

    def of_reference(self) -> Retention:
        """Return what the reference takes."""
        names = (
            "start",
            "end",
            "period",
            "zone",
            "now",
            "periods",
            "week_start",
            "cohort",
            "clock",
            "rule",
            "brackets",
        )
        return Retention(
            **{name: getattr(self, name) for name in names},
            starts=lambda event: self.starts in {None, event.event},
            returns=lambda event: self.returns in {None, event.event},
        )

    def of_calendar(self, bind: Bind) -> dict[str, Any]:
        """Return the arguments that every macro of retention takes, and the range."""
        return {
            "start": instant(bind, self.start),
            "end": instant(bind, self.end),
            "period": self.period,
            "timezone": bind(self.zone.key, "String"),
            "periods": bind(self.periods, "UInt16"),
            "week_start": bind(self.week_start, "UInt8"),
            "cohort": self.cohort,
            "return_rule": self.rule,
            "brackets": bind([list(bracket) for bracket in self.brackets], "Array(Array(UInt16))"),
        }

    def of_events(self, bind: Bind, relation: str, project: int) -> dict[str, Any]:
        """Return the arguments of insights_retention, but for `now`."""
        return self.of_calendar(bind) | {
            "relation": relation,
            "project": bind(project, "UInt32"),
            "start_condition": condition(bind, self.starts),
            "return_condition": condition(bind, self.returns),
            "clock": self.clock,
        }


def condition(bind: Bind, event: str | None) -> str:
    """Return the condition on the name of an event."""
    return "true" if event is None else f"event = {bind(event, 'String')}"


def cells(rows: list[dict[str, Any]]) -> list[RetentionCell]:
    """Return the cells of an answer."""
    return [
        RetentionCell(
            row["cohort"], row["period_index"], row["persons"], row["cohort_size"], is_complete=bool(row["is_complete"])
        )
        for row in rows
    ]


@st.composite
def questions(
    draw: st.DrawFn,
    *,
    clocks: tuple[str, ...] = ("calendar", "rolling"),
    periods: Sequence[str] = tuple(sorted(REACH)),
    whole: Literal["period", "day"] | None = None,
) -> Question:
    """Draw a question; with `whole` its range consists of whole periods, or of whole days."""
    period = draw(st.sampled_from(periods))
    near = moments(draw(st.sampled_from(MOMENTS)), period)
    start, end = sorted((draw(near), draw(near)))
    zone = ZoneInfo(draw(st.sampled_from(ZONES)))
    week_start = draw(st.sampled_from([1, 7]))
    if whole is not None:
        start, end = _whole(start, end, period if whole == "period" else whole, zone, week_start)
    visit = st.tuples(
        st.sampled_from("abc"), st.sampled_from("pqrstu"), near, st.integers(0, 2), st.sampled_from(VALUES)
    )
    drawn = draw(st.lists(visit, max_size=30))
    return Question(
        history=[
            Counted(
                message_id=f"m{number}",
                event=name,
                person=person,
                timestamp=at,
                received_at=at,
                sequence=sequence,
                properties={"plan": plan} if plan else {},
            )
            for number, (name, person, at, sequence, plan) in enumerate(drawn)
        ],
        starts=draw(st.sampled_from(["a", "b", None])),
        returns=draw(st.sampled_from(["a", "b", None])),
        start=start,
        end=end,
        period=period,
        zone=zone,
        periods=draw(st.integers(0, 5)),
        now=draw(near),
        week_start=week_start,
        cohort=draw(st.sampled_from(["first_time", "recurring"])),
        clock=draw(st.sampled_from(clocks)),
        rule=draw(st.sampled_from(["on", "on_or_after", "brackets"])),
        brackets=draw(st.sampled_from(BRACKETS)),
    )


def _whole(start: datetime, end: datetime, period: str, zone: ZoneInfo, week_start: int) -> tuple[datetime, datetime]:
    first = bucket(start, period, zone, week_start)
    last = bucket(max(start, end - timedelta(milliseconds=1)), period, zone, week_start)
    return bucket_start(first, zone), bucket_start(following(last, period, 1), zone)
