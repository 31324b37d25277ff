"""From the topics into ClickHouse, at least once; counting makes it once."""

import contextlib
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from ingestion.kafka.chunks import Chunk, UnreadableRecordError, parse
from ingestion.kafka.metrics import ConsumerMetrics
from ingestion.shipper.backoff import BackOff, Pause
from ingestion.shipper.errors import DeliveryError
from ingestion.shipper.landing import Landing
from ingestion.shipper.shipment import Contents, Shipment
from ingestion.spool.directory import forget_marks, keep

_logger = structlog.get_logger()
_POLL_S = 0.1
_BROKER_TIMEOUT_S = 10.0

FIXED = {
    # What may be committed is said record by record, when ClickHouse has it; librdkafka commits it in the background,
    # and when partitions are taken away.
    "enable.auto.offset.store": False,
    "enable.auto.commit": True,
    # A record that nobody has read must not be skipped, whatever happened to the offsets.
    "auto.offset.reset": "earliest",
}
DEFAULTS = {
    "auto.commit.interval.ms": 1000,
    # Taking a chunk with very many bad rows apart takes minutes, and must not cost the membership.
    "max.poll.interval.ms": 900_000,
    # The others go on while a member comes or goes.
    "partition.assignment.strategy": "cooperative-sticky",
    "allow.auto.create.topics": True,
}

Place = tuple[str, int]
"""Topic and partition."""


@dataclass(slots=True)
class _Held:
    """A record that did not land yet: its partition is paused meanwhile."""

    message: Message
    chunk: Chunk
    pause: Pause = field(default_factory=Pause)


class Lander:
    """One member of the consumer group.

    A record that does not pass holds up its own partition; while ClickHouse takes nothing, all of them wait, and the
    member keeps its place in the group. `directory` is for what has to be remembered of chunks that land in parts,
    `damaged` for records that nobody can read.
    """

    def __init__(
        self,
        client: Consumer,
        landing: Landing,
        metrics: ConsumerMetrics,
        directory: Path,
        damaged: Path,
        *,
        max_backoff_s: float,
    ) -> None:
        self._client = client
        self._landing = landing
        self._metrics = metrics
        self._directory = directory
        self._damaged = damaged
        self._back_off = BackOff(max_backoff_s)
        self._held: dict[Place, _Held] = {}
        self._next: dict[Place, int] = {}
        """The offset that is expected of each partition."""

    def run(self, topics: list[str], stop: Event) -> None:
        """Land what comes until `stop` is set; then finish the record in hand, and leave the group."""
        self._directory.mkdir(parents=True, exist_ok=True)
        self._client.subscribe(topics, on_assign=self._begin, on_revoke=self._let_go, on_lost=self._let_go)
        try:
            while not stop.is_set():
                self._try_held()
                message = self._client.poll(_POLL_S)
                if message is not None:
                    self._take(message)
        finally:
            self._client.close()
            self._landing.close()

    def _take(self, message: Message) -> None:
        error = message.error()
        if error is not None:
            if error.fatal():
                raise KafkaException(error)
            _logger.warning("brokers_complain", code=error.name(), error=error.str())
            return
        self._look_for_gap(message)
        try:
            headers = message.headers()
            chunk = parse(headers if isinstance(headers, list) else None, message.value())
        except UnreadableRecordError as reason:
            self._keep(message, str(reason))
            self._done(message)
            return
        held = _Held(message, chunk)
        if not (self._back_off.server.is_over and self._land(held)):
            place = _place(message)
            self._held[place] = held
            self._client.pause([TopicPartition(*place)])

    def _try_held(self) -> None:
        for place, held in sorted(self._held.items(), key=lambda item: item[1].pause.failures):
            if not self._back_off.server.is_over:
                return
            if held.pause.is_over and self._land(held):
                del self._held[place]
                self._client.resume([TopicPartition(*place)])

    def _land(self, held: _Held) -> bool:
        chunk = held.chunk
        contents = Contents({chunk.kind: chunk.lines}, {chunk.kind: chunk.rows}, 0, 0)
        shipment = Shipment(self._landing, self._metrics, chunk.identifier, self._directory, is_elsewhere=True)
        try:
            known = shipment.land(contents, split=held.pause.is_patience_lost)
        except DeliveryError as error:
            seconds = round(self._back_off.failed(held.pause, error), 2)
            _logger.warning(
                "record_not_landed", batch_id=chunk.identifier, code=error.code, error=str(error), again_in_s=seconds
            )
            return False
        self._back_off.succeeded()
        self._metrics.records.inc()
        self._metrics.known_rows.inc(known)
        self._done(held.message)
        forget_marks(self._directory, chunk.identifier)
        return True

    def _done(self, message: Message) -> None:
        topic, partition = _place(message)
        try:
            self._client.store_offsets(message)
        except KafkaException as error:
            if error.args[0].code() != KafkaError._STATE:  # noqa: SLF001 - the library's name for it
                raise
            # The partition was given away meanwhile: whoever has it reads the record again, and finds its rows.
            _logger.warning("offset_not_stored", topic=topic, partition=partition, offset=_offset(message))
            return
        # As of the last fetch: no question to the brokers.
        _, end = self._client.get_watermark_offsets(TopicPartition(topic, partition), cached=True)
        self._metrics.lag.labels(topic, partition).set(max(0, end - _offset(message) - 1))
        _, written_ms = message.timestamp()
        self._metrics.age.set(max(0.0, time.time() - written_ms / 1000))

    def _look_for_gap(self, message: Message) -> None:
        """Tell of records that the brokers have deleted, by age or size, before anybody read them."""
        place, offset = _place(message), _offset(message)
        missing = offset - self._next.get(place, offset)
        if missing > 0:
            self._metrics.gone_records.inc(missing)
            _logger.error("records_gone", topic=place[0], partition=place[1], before_offset=offset, records=missing)
        self._next[place] = offset + 1

    def _begin(self, client: Consumer, partitions: list[TopicPartition]) -> None:
        try:
            committed = client.committed(partitions, timeout=_BROKER_TIMEOUT_S)
        except KafkaException as error:
            _logger.warning("offsets_not_read", error=str(error))
            return
        self._next.update({(each.topic, each.partition): each.offset for each in committed if each.offset >= 0})

    def _let_go(self, _client: Consumer, partitions: Iterable[TopicPartition]) -> None:
        """Forget what is another member's from here on."""
        for each in partitions:
            place = (each.topic, each.partition)
            self._held.pop(place, None)
            self._next.pop(place, None)
            with contextlib.suppress(KeyError):
                self._metrics.lag.remove(*place)

    def _keep(self, message: Message, reason: str) -> None:
        topic, partition = _place(message)
        kept = self._damaged / f"{topic}-{partition}-{_offset(message)}"
        # The group passes it over from here on: there must be this one at least, whatever happens to the machine.
        keep(kept, message.value() or b"")
        self._metrics.unreadable_records.inc()
        _logger.error("record_unreadable", topic=topic, partition=partition, reason=reason, kept=str(kept))


def _place(message: Message) -> Place:
    topic, partition = message.topic(), message.partition()
    assert topic is not None  # noqa: S101 - of a record that came
    assert partition is not None  # noqa: S101
    return topic, partition


def _offset(message: Message) -> int:
    offset = message.offset()
    assert offset is not None  # noqa: S101
    return offset
