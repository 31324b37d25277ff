"""librdkafka's mock cluster: brokers in this process to which any client can connect, and which can be broken.

It has what the shipper and the consumer use: idempotent producers, topics made when they are first used, consumer
groups with both rebalance protocols, stored offsets. It does not look at sequence numbers, so that a repeated record of
an idempotent producer is stored twice; knows no limits of size, TLS or SASL; and keeps the last 5 MB of a partition.
"""

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

import confluent_kafka

_PRODUCE = 0
_POINTER = ctypes.c_void_p


def _library() -> ctypes.CDLL:
    # The one that confluent_kafka brings and has loaded.
    folder = Path(confluent_kafka.__file__).parents[1] / "confluent_kafka.libs"
    return ctypes.CDLL(str(next(folder.glob("librdkafka*"))))


class MockBrokers:
    """A cluster of three."""

    NUMBERS = (1, 2, 3)

    def __init__(self) -> None:
        self._library = _library()
        configuration = self._function("rd_kafka_conf_new", _POINTER)()
        new = self._function("rd_kafka_new", _POINTER, ctypes.c_int, _POINTER, ctypes.c_char_p, ctypes.c_size_t)
        self._handle = new(0, configuration, ctypes.create_string_buffer(512), 512)
        self._cluster = self._function("rd_kafka_mock_cluster_new", _POINTER, _POINTER, ctypes.c_int)(
            self._handle, len(self.NUMBERS)
        )
        # A group's first members are waited for; by default longer than a short session lasts.
        delay = self._function("rd_kafka_mock_group_initial_rebalance_delay_ms", None, _POINTER, ctypes.c_int32)
        delay(self._cluster, 200)
        bootstraps = self._function("rd_kafka_mock_cluster_bootstraps", ctypes.c_char_p, _POINTER)
        self.addresses: str = bootstraps(self._cluster).decode()

    def close(self) -> None:
        """End the brokers."""
        self._function("rd_kafka_mock_cluster_destroy", None, _POINTER)(self._cluster)
        self._function("rd_kafka_destroy", None, _POINTER)(self._handle)

    def make_topic(self, name: str, partitions: int) -> None:
        """Make a topic; others have four partitions."""
        make = self._function(
            "rd_kafka_mock_topic_create", ctypes.c_int, _POINTER, ctypes.c_char_p, ctypes.c_int, ctypes.c_int
        )
        assert make(self._cluster, name.encode(), partitions, len(self.NUMBERS)) == 0

    def go_away(self) -> None:
        """Take all brokers off the network; what they have stays."""
        self._each("rd_kafka_mock_broker_set_down")

    def come_back(self) -> None:
        """Put them back, at the same addresses."""
        self._each("rd_kafka_mock_broker_set_up")

    def refuse_records(self, *codes: int) -> None:
        """Answer the next records with these codes, one each; 0 takes it."""
        push = self._function(
            "rd_kafka_mock_push_request_errors_array",
            *(None, _POINTER, ctypes.c_int16, ctypes.c_size_t, ctypes.POINTER(ctypes.c_int)),
        )
        push(self._cluster, _PRODUCE, len(codes), (ctypes.c_int * len(codes))(*codes))

    def _each(self, name: str) -> None:
        change = self._function(name, ctypes.c_int, _POINTER, ctypes.c_int32)
        for number in self.NUMBERS:
            assert change(self._cluster, number) == 0

    def _function(self, name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
        function = getattr(self._library, name)
        function.restype, function.argtypes = result, arguments
        return function
