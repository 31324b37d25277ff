"""All live streams of this process: what they hear, and what they are told beside events."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Literal

import msgspec
import structlog

from api.access.errors import ApiKeyInvalidError, SessionEndedError
from api.access.principals import Client
from api.access.service import Access
from api.live.alerts import LiveAlerts
from api.live.counters import LiveCounters
from api.live.errors import TooManyStreamsError
from api.live.feed import Feed
from api.live.line import Line
from api.live.peers import (
    QUESTIONS,
    Answer,
    Question,
    own_channel,
    pack_answer,
    pack_question,
    unpack_answer,
    unpack_question,
)
from api.live.reader import ACCESS_LOST, GOING_AWAY, KEY_REVOKED, Reader, Wanted
from api.live.tickets import PERMISSION, Grant, Tickets
from api.metrics import Metrics
from api.settings import ApiSettings
from api.warehouse import Warehouse
from core import tasks
from core.errors import RadixError, UnavailableError
from core.live import COLLECTORS, LOOK_EVERY_S, channel_of, project_of

_logger = structlog.get_logger()
# Until each collector has looked who listens, and its look has come back.
_READY_AFTER_S = LOOK_EVERY_S + 0.15
# That long a reader waits for what another process may know.
_ANSWERED_WITHIN_S = 0.4
_TELL_EVERY_S = 1.0
_MOST_KEPT_BYTES = 4 * 1024 * 1024

StreamKind = Literal["sse", "websocket"]


class LiveStreams:
    """Opens and ends streams. Nothing connects before the first one is opened."""

    def __init__(self, settings: ApiSettings, metrics: Metrics, warehouse: Warehouse, access: Access) -> None:
        self.settings = settings
        self.counters = LiveCounters(settings, warehouse)
        self.tickets = Tickets(settings)
        self._metrics = metrics
        self._access = access
        self._alerts = LiveAlerts(settings)
        self._line = Line(
            settings.redis_url.get_secret_value(),
            heard=self._hear,
            confirmed=self._confirm,
            changed=self._reach,
        )
        self._answers = own_channel()
        self._feeds: dict[int, Feed] = {}
        self._streams: dict[Reader, Grant] = {}
        self._missing: set[str] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._is_closing = False
        metrics.live_is_reached.set_function(lambda: float("valkey" not in self._missing))

    @property
    def streams(self) -> list[Reader]:
        """Every stream that is open."""
        return list(self._streams)

    async def open(self, grant: Grant, wanted: Wanted, kind: StreamKind, last_place: str | None) -> Reader:
        """Return a stream of a project; raises `TooManyStreamsError`. Whoever opens it has to `leave` it."""
        settings, project_id = self.settings, grant.project_id
        feed = self._feeds.get(project_id)
        if len(self._streams) >= settings.live_max_streams:
            raise TooManyStreamsError("live_max_streams", settings.live_max_streams)
        if feed is not None and len(feed.readers) >= settings.live_max_streams_per_project:
            raise TooManyStreamsError("live_max_streams_per_project", settings.live_max_streams_per_project)
        reader = Reader(
            wanted,
            self._metrics,
            max_bytes=settings.live_reader_max_bytes,
            heartbeat_s=settings.live_heartbeat_seconds,
        )
        self._streams[reader] = grant
        self._metrics.live_readers.labels(kind).inc()
        is_new = feed is None
        if feed is None:
            feed = self._feeds[project_id] = Feed(
                project_id,
                keep_events=settings.live_resume_events,
                keep_bytes=_MOST_KEPT_BYTES,
                keep_s=settings.live_resume_seconds,
            )
        feed.join(reader, last_place)
        if self._missing:
            reader.say("degraded", {"missing": sorted(self._missing)})
        if self._is_closing:
            reader.end(GOING_AWAY)
        if not self._tasks:
            self._start()
        if is_new:
            await self._line.listen(channel_of(project_id))
        elif last_place is not None:
            self._ask(feed)
            asyncio.get_running_loop().call_later(_ANSWERED_WITHIN_S, feed.give_up, reader)
        return reader

    def leave(self, reader: Reader, kind: StreamKind) -> None:
        """Forget a stream."""
        grant = self._streams.pop(reader, None)
        if grant is None:
            return
        self._feeds[grant.project_id].leave(reader)
        self._metrics.live_readers.labels(kind).dec()
        self._metrics.live_endings.labels("disconnected" if reader.ending is None else reader.ending.reason).inc()

    def end_all(self) -> None:
        """Tell every stream that this process stops; those that are opened from now on too."""
        self._is_closing = True
        for reader in self._streams:
            reader.end(GOING_AWAY)

    async def close(self) -> None:
        """Close every connection."""
        self.end_all()
        await tasks.end(self._tasks)
        await self.tickets.close()

    def _start(self) -> None:
        seconds = self.settings.live_key_check_seconds
        self._tasks = [
            asyncio.create_task(self._run_line()),
            asyncio.create_task(self._line.send()),
            asyncio.create_task(_again_and_again(seconds, self._check_keys)),
            asyncio.create_task(_again_and_again(_TELL_EVERY_S, self._tell_counters)),
            asyncio.create_task(_again_and_again(_TELL_EVERY_S, self._tell_alerts)),
            asyncio.create_task(_again_and_again(_TELL_EVERY_S, self._forget_idle)),
        ]

    async def _run_line(self) -> None:
        for channel in (COLLECTORS, QUESTIONS, self._answers):
            await self._line.listen(channel)
        self._alerts.listen(is_reached=True)
        await self._line.run()

    def _hear(self, channel: str, publication: bytes) -> None:
        if channel == COLLECTORS:
            self._alerts.hear(publication)
            return
        if channel == QUESTIONS:
            self._answer(unpack_question(publication))
            return
        if channel == self._answers:
            answer, arrivals = unpack_answer(publication)
            if (asking := self._feeds.get(answer.project_id)) is not None:
                asking.learn(answer.place, arrivals)
            return
        project_id = project_of(channel)
        feed = None if project_id is None else self._feeds.get(project_id)
        if feed is not None:
            self._metrics.live_received.inc(feed.hear(publication))

    def _confirm(self, channel: str) -> None:
        project_id = project_of(channel)
        feed = None if project_id is None else self._feeds.get(project_id)
        if feed is not None:
            self._ask(feed)
            asyncio.get_running_loop().call_later(_READY_AFTER_S, _make_ready, feed, feed.epoch)

    def _ask(self, feed: Feed) -> None:
        """Ask the other processes for what this one has not heard: what comes from now on, it hears itself."""
        for place in feed.asked():
            self._line.say(QUESTIONS, pack_question(Question(self._answers, feed.project_id, place)))

    def _answer(self, question: Question) -> None:
        feed = self._feeds.get(question.project_id)
        arrivals = None if feed is None or question.answers == self._answers else feed.since(question.place)
        if arrivals is not None:
            packed = pack_answer(Answer(question.project_id, question.place), arrivals)
            if packed is not None:
                self._line.say(question.answers, packed)

    def _reach(self, is_reached: bool) -> None:  # noqa: FBT001 - a callback that says one thing
        if not is_reached:
            for feed in self._feeds.values():
                feed.break_off()
        self._alerts.listen(is_reached=is_reached)
        self._miss("valkey", is_missing=not is_reached)

    def _miss(self, engine: str, *, is_missing: bool) -> None:
        if is_missing == (engine in self._missing):
            return
        if is_missing:
            self._missing.add(engine)
        else:
            self._missing.discard(engine)
        for reader in self._streams:
            if self._missing:
                reader.say("degraded", {"missing": sorted(self._missing)})
            else:
                reader.say("restored", {})

    async def _check_keys(self) -> None:
        by_grant: defaultdict[Grant, list[Reader]] = defaultdict(list)
        for reader, grant in self._streams.items():
            by_grant[grant].append(reader)
        for grant, readers in by_grant.items():
            client = Client(grant.address, None)
            try:
                holds = await self._access.still_sees(grant.holder, grant.project_id, PERMISSION, client)
                ending = None if holds else ACCESS_LOST
            except (ApiKeyInvalidError, SessionEndedError):
                ending = KEY_REVOKED
            except UnavailableError:
                # Nobody can say whether it was revoked: it is looked at again as soon as PostgreSQL answers.
                self._miss("postgresql", is_missing=True)
                return
            if ending is not None:
                for reader in readers:
                    reader.end(ending)
        self._miss("postgresql", is_missing=False)

    async def _tell_counters(self) -> None:
        for feed in list(self._feeds.values()):
            readers = [reader for reader in feed.readers if "counters" in reader.wanted.parts]
            if not readers:
                continue
            try:
                counters = await self.counters.read(feed.project_id)
            except UnavailableError:
                self._miss("clickhouse", is_missing=True)
                return
            except RadixError as error:
                for reader in readers:
                    reader.say_if_new("problem", error.problem())
                continue
            self._miss("clickhouse", is_missing=False)
            told = counters.model_dump(mode="json")
            for reader in readers:
                reader.say_if_new("counters", told)

    async def _tell_alerts(self) -> None:
        if self._streams:
            told = {"alerts": msgspec.to_builtins(await self._alerts.look())}
            for reader in self._streams:
                if "alerts" in reader.wanted.parts:
                    reader.say_if_new("alerts", told)

    async def _forget_idle(self) -> None:
        for project_id, feed in list(self._feeds.items()):
            if feed.idle_s > self.settings.live_resume_seconds:
                del self._feeds[project_id]
                await self._line.leave(channel_of(project_id))


def _make_ready(feed: Feed, epoch: int) -> None:
    if feed.epoch == epoch:
        feed.make_ready()


async def _again_and_again(seconds: float, action: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await action()
        except Exception:  # one fault must not end what all streams live by
            _logger.exception("live_task_failed", task=getattr(action, "__name__", ""))
        await asyncio.sleep(seconds)
