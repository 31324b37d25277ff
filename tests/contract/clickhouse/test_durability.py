import http.client
import os
import random
import shutil
import threading
import time
from collections.abc import Callable

import pytest

from tests.contract.clickhouse.harness import Server, basic, target

# In CI each takes two seconds.
KILLS = 8 if "CI" in os.environ else 20
WRITERS = 4
ROWS_PER_BATCH = 200


class Writer(threading.Thread):
    """Inserts batches one after the other; a batch is tried with its token until it is acknowledged."""

    def __init__(self, server: Server, number: int, finished: threading.Event) -> None:
        super().__init__()
        self.server = server
        self.number = number
        self.finished = finished
        self.acknowledged = 0
        self.retries = 0

    def run(self) -> None:
        """Insert until told to stop; the last batch is seen through to its acknowledgement."""
        batch = 0
        while not self.finished.is_set():
            token = f"{self.number}-{batch}"
            rows = b"".join(b"%d\t%d\t%d\n" % (self.number, batch, row) for row in range(ROWS_PER_BATCH))
            while not self._send(token, rows):
                self.retries += 1
                time.sleep(0.02)
            self.acknowledged += 1
            batch += 1

    def _send(self, token: str, rows: bytes) -> bool:
        address = target(
            query="insert into durable.events format TSV",
            insert_deduplication_token=token,
            deduplicate_blocks_in_dependent_materialized_views=1,
        )
        connection = self.server.connection(timeout_s=30)
        try:
            connection.request("POST", address, rows, basic("radixinsight", "r-secret"))
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException):
            return False
        else:
            return response.status == http.client.OK
        finally:
            connection.close()


@pytest.mark.slow
def test_no_acknowledged_row_is_lost_or_doubled_over_many_kills(new_server: Callable[..., Server]) -> None:
    server = new_server().start()
    per_writer = "select w, count() as n from durable.events group by w"
    window = "settings non_replicated_deduplication_window = 10000"
    for sql in (
        "create database durable",
        f"create table durable.events (w UInt32, b UInt32, r UInt32) engine MergeTree order by (w, b, r) {window}",
        f"create table durable.totals (w UInt32, n UInt64) engine MergeTree order by w {window}",
        f"create materialized view durable.feed to durable.totals as {per_writer}",
    ):
        answer = server.query(sql)
        assert answer.status == 200, answer.text
    finished = threading.Event()
    writers = [Writer(server, number, finished) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    moments = random.Random(20)  # noqa: S311 - moments of a kill need no secrecy
    for _ in range(KILLS):
        time.sleep(moments.uniform(0.1, 0.6))
        server.kill()
        server.start()
    time.sleep(0.5)
    finished.set()
    for writer in writers:
        writer.join(timeout=60)
    expected = {writer.number: writer.acknowledged * ROWS_PER_BATCH for writer in writers}
    assert min(expected.values()) > 0
    assert sum(writer.retries for writer in writers) >= KILLS, "the kills did not meet any insert"
    stored = server.query("select w, count(), uniqExact(b, r) from durable.events group by w order by w").text
    assert stored == "".join(f"{number}\t{rows}\t{rows}\n" for number, rows in expected.items())
    viewed = server.query("select w, sum(n) from durable.totals group by w order by w").text
    assert viewed == "".join(f"{number}\t{rows}\n" for number, rows in expected.items())


def test_a_kill_between_an_inserts_token_and_its_part_does_not_make_the_repeated_insert_vanish(
    new_server: Callable[..., Server],
) -> None:
    """The engine writes the token down first: what such a kill leaves behind is made by hand here."""
    server = new_server().start()
    window = "settings non_replicated_deduplication_window = 100"
    server.query(f"create table kept (month UInt8, x UInt32) engine MergeTree partition by month order by x {window}")

    def insert(token: str, rows: bytes) -> str:
        assert server.insert("insert into kept format TSV", rows, insert_deduplication_token=token).status == 200
        return server.value("select groupArray(x) from (select x from kept order by x)")

    insert("merged-1", b"1\t1\n")
    insert("merged-2", b"1\t2\n")
    server.query("optimize table kept final")
    assert insert("lost", b"1\t3\n2\t4\n") == "[1,2,3,4]"
    server.kill()
    (lost,) = server.data_dir.glob("engine/store/*/*/2_4_4_0")
    shutil.rmtree(lost)
    server.start()
    assert server.value("select count() from kept") == "3"
    assert insert("lost", b"1\t3\n2\t4\n") == "[1,2,3,4]"
    assert insert("merged-1", b"1\t1\n") == "[1,2,3,4]"
    assert insert("lost", b"1\t3\n2\t4\n") == "[1,2,3,4]"
