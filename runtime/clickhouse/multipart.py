"""Reads a multipart/form-data body part by part, without holding a part in memory."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from runtime.clickhouse.errors import ClickHouseError

_BOUNDARY = re.compile(r'boundary=(?:"([^"]{1,200})"|([^\s;]{1,200}))', re.IGNORECASE)
_PARAMETER = re.compile(r'(?:\A|[;\s])(name|filename)="((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_MAX_HEAD_BYTES = 16 * 1024


@dataclass
class Part:
    """One part; `pieces` has to be read before the next part is asked for."""

    name: str
    is_file: bool
    pieces: Iterator[bytes]


def parts(pieces: Iterator[bytes], content_type: str) -> Iterator[Part]:
    """Yield the parts of a body. Raises ClickHouseError when it is broken."""
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise ClickHouseError(36, "multipart/form-data without a boundary")
    reader = _Reader(pieces, b"\r\n--" + (found[1] or found[2]).encode("latin-1"))
    for _ in reader.until_delimiter():
        pass  # the preamble
    while reader.is_followed_by_part():
        head = reader.read_head()
        names = {match[1].lower(): match[2].replace('\\"', '"') for match in _PARAMETER.finditer(head)}
        part = Part(names.get("name", ""), "filename" in names, reader.until_delimiter())
        yield part
        for _ in part.pieces:
            pass  # what was left unread


class _Reader:
    def __init__(self, pieces: Iterator[bytes], delimiter: bytes) -> None:
        self._pieces = pieces
        self._delimiter = delimiter
        self._buffer = bytearray(b"\r\n")  # so that the first delimiter looks like the others

    def _more(self) -> None:
        piece = next(self._pieces, None)
        if piece is None:
            raise ClickHouseError(36, "The multipart/form-data body is cut off")
        self._buffer += piece

    def until_delimiter(self) -> Iterator[bytes]:
        """Yield everything before the next delimiter, and step over the delimiter."""
        buffer, delimiter = self._buffer, self._delimiter
        while True:
            end = buffer.find(delimiter)
            if end >= 0:
                content = bytes(buffer[:end])
                del buffer[: end + len(delimiter)]
                if content:
                    yield content
                return
            sure = len(buffer) - len(delimiter) + 1
            if sure > 0:
                content = bytes(buffer[:sure])
                del buffer[:sure]
                yield content
            self._more()

    def is_followed_by_part(self) -> bool:
        while len(self._buffer) < len(b"--"):
            self._more()
        return not self._buffer.startswith(b"--")

    def read_head(self) -> str:
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            if len(self._buffer) > _MAX_HEAD_BYTES:
                raise ClickHouseError(36, "The head of a part of the multipart/form-data body is too long")
            self._more()
        head = self._buffer[:end].decode("utf-8", errors="replace")
        del self._buffer[: end + 4]
        disposition = [line for line in head.split("\r\n") if line.lower().startswith("content-disposition:")]
        if not disposition:
            raise ClickHouseError(36, "A part of the multipart/form-data body has no Content-Disposition")
        return disposition[0].partition(":")[2]
