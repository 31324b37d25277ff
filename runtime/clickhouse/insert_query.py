"""Passes the rows of an insert on to the engine while they arrive."""

import os
import re
import struct
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any

from runtime.clickhouse.answer import Summary
from runtime.clickhouse.body import Body
from runtime.clickhouse.engine import Handle
from runtime.clickhouse.errors import ClickHouseError
from runtime.clickhouse.insert_head import InsertHead
from runtime.clickhouse.pipe import open_pipe

# Pieces of a body in small chunks are joined up to this size; larger ones pass as they come.
_PIECE_BYTES = 64 * 1024
# An LZ4 frame of blocks that are stored as they are: it costs a copy, and the engine can tell its end from a breach.
_FRAME_HEAD = bytes.fromhex("04224d18607073")
_FRAME_END = bytes(4)
_FRAME_BROKEN = b"\xff\xff\xff\xff"
_BLOCK_SIZE = struct.Struct("<I")
_STORED = 0x8000_0000
_MAX_BLOCK_BYTES = 4 * 1024**2
_SOURCE = re.compile(r": \(in file/uri /dev/fd/\d+\)|\(in file/uri /dev/fd/\d+\)")


def stream_insert(
    handle: Handle,
    head: InsertHead,
    rows: Iterator[bytes],
    summary: Summary,
    parameters: Mapping[str, str] | None = None,
) -> None:
    """Insert `rows`, bytes in the head's format. Stores nothing of a small insert that fails.

    As in ClickHouse, blocks of a large insert that were complete before the failure stay.
    Raises ClickHouseError for what the engine refuses, and whatever reading the rows raises.

    The engine reads the rows from a pipe (INFILE). chDB's own streaming insert reports success when the table refuses
    the rows: a violated constraint, too many parts, a full disk.
    """
    if isinstance(rows, Body) and rows.spliceable > _PIECE_BYTES:
        _report(_insert_spliced(handle, head, rows, parameters), summary)
        return
    pieces = _gathered(rows)
    first = next(pieces, b"")
    second = next(pieces, None)
    reading, writing, capacity = open_pipe()
    insert = _Insert(handle, head, parameters, reading)
    if second is None and len(first) + len(_FRAME_HEAD) + 2 * _BLOCK_SIZE.size <= capacity:
        with os.fdopen(writing, "wb", buffering=0) as pipe:
            pipe.write(b"".join([_FRAME_HEAD, *chain(*_blocks(first)), _FRAME_END]))
        insert.run()
    else:
        insert.start()
        try:
            _feed(writing, chain((first, second or b""), pieces))
        finally:
            os.close(writing)
            insert.join()
    _report(insert.outcome(), summary)


def _insert_spliced(handle: Handle, head: InsertHead, body: Body, parameters: Mapping[str, str] | None) -> Any:
    """Move a body that needs no decoding from the socket to the engine within the kernel."""
    reading, writing, _ = open_pipe()
    insert = _Insert(handle, head, parameters, reading)
    insert.start()
    try:
        _splice(writing, body)
    finally:
        os.close(writing)
        insert.join()
    return insert.outcome()


def _report(result: Any, summary: Summary) -> None:
    summary.written_rows = summary.read_rows = summary.result_rows = result.rows_written()
    summary.written_bytes = summary.read_bytes = summary.result_bytes = result.bytes_written()


class _Insert(threading.Thread):
    """The engine's side: runs the statement until the pipe is read to its end."""

    def __init__(self, handle: Handle, head: InsertHead, parameters: Mapping[str, str] | None, descriptor: int) -> None:
        super().__init__(name="insert", daemon=True)
        source = f" from infile '/dev/fd/{descriptor}' compression 'lz4' "
        at = len(head.text) if head.settings_start is None else head.settings_start
        self._sql = f"{head.text[:at]}{source}{head.text[at:]} format {head.format}"
        self._handle = handle
        self._parameters = parameters
        self._descriptor = descriptor
        self._result: Any = None
        self._error: ClickHouseError | None = None

    def run(self) -> None:
        try:
            self._result = self._handle.run(self._sql, "TSV", self._parameters)
        except ClickHouseError as error:
            self._error = ClickHouseError(error.code, _SOURCE.sub("", error.message), name=error.name)
        finally:
            # When the engine has refused the rows, this is what ends the writing of more of them.
            os.close(self._descriptor)

    def outcome(self) -> Any:
        """Return chDB's result; raises ClickHouseError."""
        if self._error is not None:
            raise self._error
        return self._result


def _feed(descriptor: int, pieces: Iterator[bytes]) -> None:
    """Write a frame of all pieces; when reading them fails, break it, so that the engine stores nothing of it."""
    with suppress(BrokenPipeError):
        os.write(descriptor, _FRAME_HEAD)
        try:
            for piece in pieces:
                for block in _blocks(piece):
                    _write(descriptor, block)
        except BrokenPipeError:
            raise
        except BaseException:
            with suppress(BrokenPipeError):
                os.write(descriptor, _FRAME_BROKEN)
            raise
        os.write(descriptor, _FRAME_END)


def _splice(descriptor: int, body: Body) -> None:
    """Write a frame around the body as `_feed` does around pieces."""
    with suppress(BrokenPipeError):
        os.write(descriptor, _FRAME_HEAD)
        try:
            # A block is never announced before all of it has come: one that stays incomplete could only be filled up
            # with something, which the engine would take for rows.
            while size := min(body.wait_for_bytes(), _MAX_BLOCK_BYTES):
                os.write(descriptor, _BLOCK_SIZE.pack(size | _STORED))
                while size:
                    size -= body.splice(descriptor, size)
        except BrokenPipeError:
            raise
        except BaseException:
            with suppress(BrokenPipeError):
                os.write(descriptor, _FRAME_BROKEN)
            raise
        os.write(descriptor, _FRAME_END)


def _write(descriptor: int, block: Sequence[bytes]) -> None:
    written = os.writev(descriptor, block)
    if written < sum(len(part) for part in block):
        rest = memoryview(b"".join(block))[written:]
        while rest:
            rest = rest[os.write(descriptor, rest) :]


def _blocks(piece: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the piece as blocks of the frame: each has its size before it."""
    if len(piece) <= _MAX_BLOCK_BYTES:
        if piece:
            yield _BLOCK_SIZE.pack(len(piece) | _STORED), piece
        return
    for start in range(0, len(piece), _MAX_BLOCK_BYTES):
        block = piece[start : start + _MAX_BLOCK_BYTES]
        yield _BLOCK_SIZE.pack(len(block) | _STORED), block


def _gathered(rows: Iterator[bytes]) -> Iterator[bytes]:
    held: list[bytes] = []
    size = 0
    for piece in rows:
        held.append(piece)
        size += len(piece)
        if size >= _PIECE_BYTES:
            yield b"".join(held) if len(held) > 1 else piece
            held.clear()
            size = 0
    if held:
        yield b"".join(held)
