"""Which session an event belongs to."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta

from reference.events import Event

CAP = timedelta(hours=24)


def sessions(events: Iterable[Event], persons: dict[str, str], gap: timedelta) -> dict[str, tuple[str, ...]]:
    """Return a name of the session of each event by message id; events share a session if they share the name.

    A session of the SDK that is used as it is has the name ("sdk", its id); a derived one ("derived", …).
    """
    events = list(events)
    spans: defaultdict[str, list[Event]] = defaultdict(list)
    for event in events:
        spans[event.session_id].append(event)
    named: dict[str, tuple[str, ...]] = {}
    streams: defaultdict[tuple[str, str], list[Event]] = defaultdict(list)
    for event in events:
        instants = [other.timestamp for other in spans[event.session_id]]
        if event.session_id and max(instants) - min(instants) < CAP:
            named[event.message_id] = ("sdk", event.session_id)
        else:
            streams[persons[event.message_id], event.session_id].append(event)
    for (person, sdk_session), stream in streams.items():
        started = previous = None
        for event in sorted(stream, key=lambda event: event.timestamp):
            if (
                started is None
                or previous is None
                or event.timestamp - previous >= gap
                or event.timestamp - started >= CAP
            ):
                started = event.timestamp
            previous = event.timestamp
            named[event.message_id] = ("derived", person, sdk_session, started.isoformat())
    return named
