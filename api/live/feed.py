"""One project's events as they come in, for all of its streams in this process."""

import time
from collections import OrderedDict, deque

import msgspec
import structlog

from api.live.filters import Arrival
from api.live.reader import Reader
from core.live import unpack

_logger = structlog.get_logger()
# A client that had no answer sends again within seconds.
_MOST_IDS = 20_000
_MOST_COLLECTORS = 1_000


class Feed:
    """Hands events to readers, each event once, and keeps the latest for those who come back after a break."""

    def __init__(self, project_id: int, *, keep_events: int, keep_bytes: int, keep_s: float) -> None:
        self.project_id = project_id
        self.epoch = 0
        """Grows with every break."""
        self._is_ready = False
        self._idle_since = time.monotonic()
        self._readers: set[Reader] = set()
        self._waiting: dict[Reader, str | None] = {}
        """Who has not been welcomed yet, and what each has seen before."""
        self._learnt: dict[str, list[Arrival]] = {}
        """By the place of an event that is waited for, what other processes have after it."""
        self._keep_events = keep_events
        self._keep_bytes = keep_bytes
        self._keep_s = keep_s
        self._latest: deque[Arrival] = deque()
        self._latest_bytes = 0
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._next: dict[str, int] = {}
        """By collector, the number of the event that comes next if nothing is missing."""

    @property
    def readers(self) -> list[Reader]:
        """All who look."""
        return [*self._readers, *self._waiting]

    @property
    def idle_s(self) -> float:
        """For how long nobody has looked."""
        return 0.0 if self._readers or self._waiting else time.monotonic() - self._idle_since

    def join(self, reader: Reader, last_place: str | None) -> None:
        """Welcome a reader as soon as all that is acknowledged from then on comes in.

        One who saw last what is not known here waits until another process tells of it, or he is given up.
        """
        if self._is_ready and (last_place is None or self.since(last_place) is not None):
            self._welcome(reader, last_place)
        else:
            self._waiting[reader] = last_place

    def since(self, place: str) -> list[Arrival] | None:
        """Return the events after one; None where that is not known here."""
        self._forget(time.monotonic())
        kept = list(self._latest)
        return next((kept[index + 1 :] for index, arrival in enumerate(kept) if arrival.place == place), None)

    def asked(self) -> list[str]:
        """Return the places of events that readers wait for and that are not known here."""
        places = {place for place in self._waiting.values() if place is not None}
        return [place for place in places if self.since(place) is None]

    def learn(self, place: str, arrivals: list[Arrival]) -> None:
        """Take what another process has after a place."""
        waiting = [reader for reader, last_place in self._waiting.items() if last_place == place]
        if waiting:
            self._learnt[place] = [each for each in arrivals if each.event.project_id == self.project_id]
        for reader in waiting:
            self.give_up(reader)
        if self._is_ready:
            self._learnt.pop(place, None)

    def give_up(self, reader: Reader) -> None:
        """Let a reader wait for other processes no longer."""
        if self._is_ready and reader in self._waiting:
            self._welcome(reader, self._waiting.pop(reader))

    def leave(self, reader: Reader) -> None:
        """Show a reader nothing any more."""
        self._readers.discard(reader)
        self._waiting.pop(reader, None)
        self._idle_since = time.monotonic()

    def make_ready(self) -> None:
        """Learn that collectors know that somebody listens."""
        self._is_ready = True
        waiting, self._waiting = self._waiting, {}
        for reader, last_place in waiting.items():
            self._welcome(reader, last_place)
        self._learnt.clear()

    def break_off(self) -> None:
        """Begin anew: what came meanwhile is lost, and nobody can say how much that was."""
        self.epoch += 1
        self._is_ready = False
        self._next.clear()
        self._learnt.clear()
        self._latest.clear()
        self._latest_bytes = 0

    def hear(self, publication: bytes) -> int:
        """Take a publication of a collector; return how many events in it are new."""
        try:
            header, events = unpack(publication)
        except msgspec.MsgspecError as error:
            _logger.warning("live_publication_not_understood", error=str(error))
            return 0
        expected = self._next.get(header.collector, header.before)
        if header.before > expected:
            for reader in self._readers:
                reader.miss(header.before - expected)
        if len(self._next) > _MOST_COLLECTORS:
            self._next.clear()
        self._next[header.collector] = header.before + len(events)
        now, new = time.monotonic(), 0
        for number, event in enumerate(events, header.before):
            # The channel's name is all that tells projects apart in Valkey: an event that says otherwise is not shown.
            if event.project_id != self.project_id or not self._is_new(event.message_id):
                continue
            new += 1
            arrival = Arrival(f"{header.collector}-{number}", event, now)
            self._keep(arrival)
            for reader in self._readers:
                reader.offer(arrival)
        return new

    def _welcome(self, reader: Reader, last_place: str | None) -> None:
        self._readers.add(reader)
        found = None if last_place is None else self._resumed(last_place)
        hello = {"project_id": self.project_id, "resumed": None if last_place is None else found is not None}
        reader.say("hello", hello)
        for arrival in found or ():
            reader.offer(arrival, is_again=True)

    def _resumed(self, place: str) -> list[Arrival] | None:
        found = self.since(place)
        if found is None and place in self._learnt:
            own = {arrival.event.message_id for arrival in self._latest}
            found = [each for each in self._learnt[place] if each.event.message_id not in own] + list(self._latest)
        return found

    def _is_new(self, message_id: str) -> bool:
        if message_id in self._ids:
            return False
        self._ids[message_id] = None
        if len(self._ids) > _MOST_IDS:
            self._ids.popitem(last=False)
        return True

    def _keep(self, arrival: Arrival) -> None:
        self._latest.append(arrival)
        self._latest_bytes += _size(arrival)
        self._forget(arrival.arrived_at)

    def _forget(self, now: float) -> None:
        while self._latest and (
            len(self._latest) > self._keep_events
            or self._latest_bytes > self._keep_bytes
            or now - self._latest[0].arrived_at > self._keep_s
        ):
            self._latest_bytes -= _size(self._latest.popleft())


def _size(arrival: Arrival) -> int:
    event = arrival.event
    return 1000 + sum(memoryview(part).nbytes for part in (event.properties, event.traits, event.context))
