"""Runs a query that answers with rows, and passes the rows on as the engine makes them."""

import os
import threading
from collections.abc import Callable, Mapping
from typing import Any

from runtime.clickhouse.answer import Answer
from runtime.clickhouse.engine import Handle, engine_text
from runtime.clickhouse.errors import ENGINE_ERRORS, ClickHouseError, from_engine
from runtime.clickhouse.pipe import PIPE_BYTES, open_pipe
from runtime.clickhouse.statement import Statement


def run_whole(handle: Handle, statement: Statement, name: str, parameters: Mapping[str, str], answer: Answer) -> None:
    """Run a statement whose answer is small, or that has none."""
    result = handle.run(statement.text, name, parameters)
    summary = answer.summary
    data: bytes = result.bytes()
    summary.result_bytes = len(data)
    _count(answer, result)
    summary.result_rows = result.rows_read()
    summary.written_rows, summary.written_bytes = result.rows_written(), result.bytes_written()
    answer.write(data)


def run_native(handle: Handle, statement: Statement, parameters: Mapping[str, str], answer: Answer) -> None:
    """Stream a result in the Native format, whose blocks are the engine's chunks one to one."""
    raw = handle.raw
    try:
        stream = raw.send_query(engine_text(statement.text), "Native", params=parameters)
    except ENGINE_ERRORS as error:
        raise from_engine(error) from None
    try:
        while True:
            chunk = raw.streaming_fetch_result(stream)
            if chunk is None:
                break
            # Unlike a whole result, a chunk counts what was read since the one before it.
            answer.summary.read_rows += chunk.storage_rows_read()
            answer.summary.read_bytes += chunk.storage_bytes_read()
            if chunk.rows_read() == 0:
                break
            answer.summary.result_rows += chunk.rows_read()
            answer.summary.result_bytes += chunk.size()
            answer.write(chunk.get_memview().view())
    except ENGINE_ERRORS as error:
        raise from_engine(error) from None
    except (OSError, ClickHouseError):
        # Neither comes from the engine: the client is gone, or the result is too large to be held back.
        raw.streaming_cancel_query(stream)
        raise


def run_document(
    handle: Handle,
    statement: Statement,
    name: str,
    parameters: Mapping[str, str],
    answer: Answer,
    *,
    end: Callable[[], None],
) -> None:
    """Stream a result in any format, headers, totals and footers included, through a pipe.

    chDB's own streaming makes a document of every chunk; INTO OUTFILE makes one of all. The engine opens the pipe by
    its name under /dev/fd, so nothing is left behind in the file system.
    """
    reading, writing, _ = open_pipe()
    writer = _Writer(handle, statement.to_file(f"/dev/fd/{writing}", name), parameters, writing)
    writer.start()
    try:
        while piece := os.read(reading, PIPE_BYTES):
            answer.summary.result_bytes += len(piece)
            answer.write(piece)
    except ClickHouseError:
        # The result is too large to be held back; a closed pipe alone does not stop the engine's reading.
        end()
        raise
    finally:
        # Without a reader the engine's next write fails, which ends the query when the client is gone.
        os.close(reading)
        writer.join()
    if writer.error is not None:
        raise writer.error
    _count(answer, writer.result)
    answer.summary.result_rows = writer.result.rows_read()


class _Writer(threading.Thread):
    def __init__(self, handle: Handle, sql: str, parameters: Mapping[str, str], descriptor: int) -> None:
        super().__init__(name="result", daemon=True)
        self._handle = handle
        self._sql = sql
        self._parameters = parameters
        self._descriptor = descriptor
        self.result: Any = None
        self.error: ClickHouseError | None = None

    def run(self) -> None:
        try:
            self.result = self._handle.run(self._sql, "TSV", self._parameters)
        except ClickHouseError as error:
            self.error = error
        finally:
            os.close(self._descriptor)


def _count(answer: Answer, result: Any) -> None:
    answer.summary.read_rows = result.storage_rows_read()
    answer.summary.read_bytes = result.storage_bytes_read()
