"""The shipper's way to Kafka: a segment is delivered when the brokers have confirmed every record of it."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from ingestion.kafka.chunks import TABLES, Chunk, cut, is_substitute, substitute
from ingestion.kafka.client import LOGGER, configuration
from ingestion.kafka.settings import KafkaProducerSettings
from ingestion.shipper.errors import DeliveryError, UnableError, UnreachableError
from ingestion.shipper.metrics import ShipperMetrics
from ingestion.shipper.shipment import Contents
from ingestion.spool.directory import keep

_logger = structlog.get_logger()
_TOO_LARGE = frozenset({"MSG_SIZE_TOO_LARGE", "RECORD_LIST_TOO_LARGE"})
_NOBODY_ANSWERS = frozenset(
    {"_MSG_TIMED_OUT", "_TIMED_OUT", "_TRANSPORT", "_ALL_BROKERS_DOWN", "_PURGE_QUEUE", "_PURGE_INFLIGHT"}
)
_FIXED = {
    # A record counts when every in-sync replica has it, and a retry of librdkafka's own makes no second one.
    "acks": "all",
    "enable.idempotence": True,
    # One record is one message set: what is refused as too large is that record, and not what lies beside it.
    "batch.num.messages": 1,
}
_LOOK_EVERY_S = 0.2


class Kafka:
    """Topics of a Kafka API.

    A segment that was delivered in part is delivered again: whoever reads the topics tells a record that comes twice by
    its headers.
    """

    def __init__(
        self, settings: KafkaProducerSettings, kept: Path, metrics: ShipperMetrics, is_stopping: Callable[[], bool]
    ) -> None:
        self._settings = settings
        self._kept = kept
        self._metrics = metrics
        self._is_stopping = is_stopping
        self._configuration = configuration(
            settings,
            defaults={
                "compression.codec": "zstd",
                # It is asked of the rows before their compression; the brokers ask of what comes.
                "message.max.bytes": 200_000_000,
            },
            fixed=_FIXED | {"message.timeout.ms": int(settings.timeout_s * 1000)},
        )
        self._producer: Producer | None = None
        self._confirmed: dict[str, set[str]] = {}
        """By segment that is under way: the chunks that need not be sent again."""

    def deliver(self, segment: Path, contents: Contents, *, split: bool) -> None:  # noqa: ARG002 - brokers read no rows
        """Return when the brokers have everything; raise `DeliveryError` when it has to be tried again."""
        confirmed = self._confirmed.setdefault(segment.stem, set())
        pending = [
            chunk
            for kind in sorted(contents.lines)
            for chunk in cut(segment.stem, kind, contents.lines[kind], self._settings.record_max_bytes)
        ]
        while pending:
            too_large = self._send([chunk for chunk in pending if chunk.identifier not in confirmed], confirmed)
            pending = [part for chunk in too_large for part in self._smaller(chunk)]
        del self._confirmed[segment.stem]

    def close(self) -> None:
        """Let go of the brokers. Nothing is under way between two deliveries."""
        self._producer = None

    def _send(self, chunks: Iterable[Chunk], confirmed: set[str]) -> list[Chunk]:
        """Send chunks and wait for what the brokers say of each; return those that are too large for them."""
        if self._producer is None:
            self._producer = Producer(self._configuration, logger=LOGGER)
        producer = self._producer
        failed: list[tuple[Chunk, KafkaError]] = []

        def judge(chunk: Chunk, error: KafkaError | None, _message: Message | None = None) -> None:
            if error is None:
                confirmed.add(chunk.identifier)
                self._metrics.rows.labels(TABLES[chunk.kind]).inc(chunk.rows)
            else:
                self._metrics.records_failed.labels(error.name()).inc()
                failed.append((chunk, error))

        for chunk in chunks:
            self._produce(producer, chunk, partial(judge, chunk))
        while producer.flush(_LOOK_EVERY_S):
            if self._is_stopping():
                # The segment stays: the next shipper sends it again.
                producer.purge()
        troubles = [error for _, error in failed if error.name() not in _TOO_LARGE]
        if any(error.fatal() for error in troubles):
            self._producer = None
        if troubles:
            raise _meaning(troubles[0])
        return [chunk for chunk, _ in failed]

    def _produce(
        self, producer: Producer, chunk: Chunk, judge: Callable[[KafkaError | None, Message | None], None]
    ) -> None:
        topic = self._settings.topic(TABLES[chunk.kind])
        while True:
            try:
                producer.produce(topic, chunk.lines, key=chunk.identifier, headers=chunk.headers(), on_delivery=judge)
            except BufferError:
                producer.poll(_LOOK_EVERY_S)
            except KafkaException as error:
                judge(error.args[0], None)
                return
            else:
                return

    def _smaller(self, chunk: Chunk) -> Iterator[Chunk]:
        """Yield what to send in place of a chunk that is too large for the brokers."""
        if chunk.rows > 1:
            yield from chunk.halves()
        elif is_substitute(chunk):
            raise UnableError(f"the brokers take not even {len(chunk.lines)} bytes")
        else:
            kept = self._kept / f"{chunk.identifier}.jsonl"
            keep(kept, chunk.lines)
            self._metrics.withheld_rows.inc()
            _logger.error("row_withheld", batch_id=chunk.segment, size=len(chunk.lines), kept=str(kept))
            yield substitute(
                chunk, f"the row has {len(chunk.lines)} bytes, too many for the brokers; kept as {kept.name}"
            )


def _meaning(error: KafkaError) -> DeliveryError:
    text = f"{error.name()}: {error.str()}"
    meaning = UnreachableError(text) if error.name() in _NOBODY_ANSWERS else UnableError(text)
    meaning.code = error.code()
    return meaning
