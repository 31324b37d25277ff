"""Ranges as insights are asked over them: near instants at which calendars are odd."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from engine.activity import EPOCH, MOMENTS, REACH, ZONES, instant
from engine.renderings import Bind
from reference.calendar_buckets import bucket, bucket_end, bucket_start

_REACH = REACH | {"total": timedelta(days=4)}


@st.composite
def ranges(draw: st.DrawFn, *, whole_days: bool) -> tuple[dict[str, Any], st.SearchStrategy[datetime]]:
    """Draw a range with its calendar, and a strategy for instants in and near it.

    The range has start, end, interval, zone and week_start; `whole_days` is as a rollup by day wants it.
    """
    interval = draw(st.sampled_from(sorted(_REACH.keys() - ({"hour"} if whole_days else set()))))
    zone = ZoneInfo(draw(st.sampled_from(ZONES)))
    around, quarters = draw(st.sampled_from(MOMENTS)), _REACH[interval] // timedelta(minutes=15)
    near = st.integers(-quarters, quarters).map(lambda place: max(EPOCH, around + place * timedelta(minutes=15)))
    start, end = sorted((draw(near), draw(near)))
    if whole_days:
        start, end = (bucket_start(bucket(at, "day", zone), zone) for at in (start, end))
        end = bucket_end(start, "day", zone) if start == end else end
    end = max(end, start + timedelta(minutes=15))
    calendar = {"interval": interval, "zone": zone, "week_start": draw(st.sampled_from([1, 7]))}
    return {"start": start, "end": end} | calendar, near


def of_macro(bind: Bind, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a range to a macro."""
    return {
        "start": instant(bind, asked["start"]),
        "end": instant(bind, asked["end"]),
        "interval": asked["interval"],
        "timezone": bind(asked["zone"].key, "String"),
        "week_start": bind(asked["week_start"], "UInt8"),
    }
