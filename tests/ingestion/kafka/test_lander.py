"""What a consumer does at a moment that brokers cannot be made to choose: its client is a fake."""

import os
from pathlib import Path
from threading import Event
from typing import cast

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Message

from ingestion.kafka.consumer import Lander
from ingestion.kafka.metrics import ConsumerMetrics
from ingestion.shipper.landing import Landing


class Client:
    """Hands out records that nobody can read, and then says stop."""

    def __init__(self, records: int, error: int | None = None) -> None:
        self.stop = Event()
        self.seen: list[str] = []
        """What was made durable, or stored with the brokers, in order."""
        self._messages = [Message(topic="t", partition=0, offset=offset, value=b"x") for offset in range(records)]
        self._error = error

    def poll(self, _timeout: float) -> Message | None:
        """Return the next record."""
        if not self._messages:
            self.stop.set()
            return None
        return self._messages.pop(0)

    def store_offsets(self, _message: Message) -> None:
        """Note it, or refuse it."""
        if self._error is not None:
            raise KafkaException(KafkaError(self._error))
        self.seen.append("offset")

    def get_watermark_offsets(self, *_: object, **__: object) -> tuple[int, int]:
        """Return where the partition begins and ends."""
        return 0, 2

    def subscribe(self, *_: object, **__: object) -> None:
        """Take it as it comes."""

    def close(self) -> None:
        """Leave."""


def run(client: Client, directory: Path) -> ConsumerMetrics:
    """Let a consumer land what the client has."""
    metrics = ConsumerMetrics()
    landing = Landing("http://u:p@127.0.0.1:1/", timeout_s=1)
    lander = Lander(
        cast("Consumer", client), landing, metrics, directory / "consumer", directory / "damaged", max_backoff_s=1
    )
    lander.run(["t"], client.stop)
    return metrics


def test_an_offset_that_cannot_be_stored_because_the_partition_was_given_away_does_not_end_the_consumer(
    tmp_path: Path,
) -> None:
    metrics = run(Client(2, error=KafkaError._STATE), tmp_path)
    assert metrics.registry.get_sample_value("radixinsight_consumer_records_unreadable_total") == 2


def test_an_offset_that_cannot_be_stored_for_another_reason_ends_it(tmp_path: Path) -> None:
    with pytest.raises(KafkaException):
        run(Client(1, error=KafkaError._INVALID_ARG), tmp_path)


def test_a_record_that_nobody_can_read_is_durable_before_its_offset_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client(1)
    fsync = os.fsync

    def note(handle: int) -> None:
        fsync(handle)
        client.seen.append(Path(f"/proc/self/fd/{handle}").readlink().name)

    monkeypatch.setattr(os, "fsync", note)
    run(client, tmp_path)
    assert client.seen == ["t-0-0", "damaged", "offset"]
