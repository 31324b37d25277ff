"""Questions about activity, and relations of activity made from a history in either way."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from engine.event_table import EventTable, milliseconds
from engine.insight_macros import render
from engine.renderings import Bind
from reference.events import Counted

# What a client means that sends 0 as the time.
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Clocks change (Berlin, Lord Howe by half an hour), a day is skipped (Apia), a year ends, time begins.
MOMENTS = [
    datetime(2024, 3, 31, 1, tzinfo=UTC),
    datetime(2024, 4, 6, 15, tzinfo=UTC),
    datetime(2011, 12, 30, 10, tzinfo=UTC),
    datetime(2023, 12, 31, 23, tzinfo=UTC),
    EPOCH + timedelta(hours=4),
]
ZONES = ["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/Havana", "Australia/Lord_Howe", "Pacific/Apia"]
REACH = {"hour": timedelta(hours=8), "day": timedelta(days=5), "week": timedelta(days=30), "month": timedelta(days=120)}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A history, and a range of it that is cut into periods; `event` None means any event."""

    history: list[Counted]
    start: datetime
    end: datetime
    interval: str
    zone: ZoneInfo
    week_start: int
    now: datetime
    event: str | None

    def of_reference(self) -> dict[str, Any]:
        """Return what the references take."""
        names = ("event", "start", "end", "interval", "zone", "week_start")
        return {name: getattr(self, name) for name in names}

    def of_macro(self, bind: Bind) -> dict[str, Any]:
        """Return what the macros take."""
        return {
            "start": instant(bind, self.start),
            "end": instant(bind, self.end),
            "interval": self.interval,
            "timezone": bind(self.zone.key, "String"),
            "week_start": bind(self.week_start, "UInt8"),
        }


def moments(around: datetime, interval: str) -> st.SearchStrategy[datetime]:
    """Return a strategy for instants near another one, on quarters of an hour."""
    quarters = REACH[interval] // timedelta(minutes=15)
    return st.integers(-quarters, quarters).map(lambda quarter: max(EPOCH, around + quarter * timedelta(minutes=15)))


@st.composite
def asked(draw: st.DrawFn, intervals: tuple[str, ...] = tuple(sorted(REACH))) -> Asked:
    """Draw few names, persons and instants, so that persons are active in several periods."""
    interval = draw(st.sampled_from(intervals))
    near = moments(draw(st.sampled_from(MOMENTS)), interval)
    start, end = sorted((draw(near), draw(near)))
    drawn = draw(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("pqrst"), near), max_size=30))
    return Asked(
        history=[
            Counted(message_id=f"m{number}", event=name, person=person, timestamp=at, received_at=at)
            for number, (name, person, at) in enumerate(drawn)
        ],
        start=start,
        end=end,
        interval=interval,
        zone=ZoneInfo(draw(st.sampled_from(ZONES))),
        week_start=draw(st.sampled_from([1, 7])),
        now=draw(near),
        event=draw(st.sampled_from(["a", None])),
    )


def instant(bind: Bind, at: datetime) -> str:
    """Return the expression of an instant."""
    return f"fromUnixTimestamp64Milli({bind(milliseconds(at), 'Int64')}, 'UTC')"


def activity(
    bind: Bind,
    table: EventTable,
    project: int | str,
    event: str | None,
    calendar: Mapping[str, Any],
    *,
    rolled: bool = False,
    **more: Any,
) -> str:
    """Return a relation of activity: from the events, or (`rolled`) from a rollup of them by day in the zone.

    `project` is an id or an expression; `calendar` has at least interval, timezone and week_start, as expressions;
    `more` goes to the macro too.
    """
    return render(
        "insights_activity_of_days" if rolled else "insights_activity",
        **_asked(bind, table, project, event, calendar["timezone"], rolled=rolled)
        | {name: calendar[name] for name in ("interval", "timezone", "week_start")}
        | more,
    )


def starts_of_days(
    bind: Bind, table: EventTable, project: int | str, event: str | None, asked: Mapping[str, Any], **more: Any
) -> str:
    """Return who began a retention, from a rollup of the events by day; `asked` are the arguments of the retention."""
    return render(
        "insights_retention_starts_of_days",
        **_asked(bind, table, project, event, asked["timezone"], rolled=True),
        **{name: asked[name] for name in ("start", "end", "period", "timezone", "week_start", "cohort")},
        **more,
    )


def _asked(
    bind: Bind, table: EventTable, project: int | str, event: str | None, timezone: str, *, rolled: bool
) -> dict[str, Any]:
    rollup = (
        f"(select project_id, event, toDate32(timestamp, {timezone}) as event_date,"
        f" groupBitmapState(person_number) as persons from {table.name} group by project_id, event, event_date)"
    )
    return {
        "relation": rollup if rolled else table.name,
        "condition": "true" if event is None else f"event = {bind(event, 'String')}",
        "project": project if isinstance(project, str) else bind(project, "UInt32"),
    }


def numbered(history: list[Counted]) -> list[str]:
    """Return the persons of a history by their numbers."""
    return list(dict.fromkeys(event.person for event in history))
