"""librdkafka's configuration, and whether the brokers answer."""

import logging
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from ingestion.kafka.settings import KafkaSettings

LOGGER = logging.getLogger("librdkafka")
_PROBE_TIMEOUT_S = 3.0


class InvalidPropertiesError(Exception):
    """The file of properties cannot be read."""


def configuration(settings: KafkaSettings, *, defaults: dict[str, Any], fixed: dict[str, Any]) -> dict[str, Any]:
    """Return librdkafka's properties: ours, over them the operator's, and over these what has to be so.

    Raises `InvalidPropertiesError`.
    """
    own = {} if settings.properties_file is None else _properties(settings.properties_file)
    return (
        {"client.id": "radixinsight", "topic.metadata.refresh.interval.ms": 10_000}
        | defaults
        | own
        | {"bootstrap.servers": settings.brokers}
        | fixed
    )


def _properties(file: Path) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidPropertiesError(f"{file} cannot be read: {error}") from error
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        name, separator, value = stripped.partition("=")
        if not separator:
            # Not the line itself: it may be a password.
            raise InvalidPropertiesError(f"{file}, line {number}: not `name=value`")
        properties[name.strip()] = value.strip()
    return properties


class Brokers:
    """Asks the brokers whether they are there, over connections of its own."""

    def __init__(self, settings: KafkaSettings) -> None:
        # Its complaints would be those of the producer or consumer once more.
        self._client = AdminClient(configuration(settings, defaults={}, fixed={"log_level": 0}))

    def trouble(self) -> str | None:
        """Say why records cannot go or come: None while a broker answers."""
        try:
            self._client.list_topics(timeout=_PROBE_TIMEOUT_S)
        except KafkaException:
            return "no broker answers"
        return None
