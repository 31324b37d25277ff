"""Opens a file whatever it is packed in: plain, gzip, zstd, or a zip archive of such files.

The bytes decide, not the name. Nothing is unpacked as a whole, except for Parquet, which is read from its end.
"""

import gzip
import hashlib
import io
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

import zstandard

from ingestion.importing.errors import UnreadableFileError

_GZIP, _ZSTD, _ZIP = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04"
_MAX_WINDOW = 128 * 1024 * 1024
_CHUNK = 1024 * 1024
_BUFFER = 256 * 1024
# What is unpacked when damage is met is lost with it: little at a time.
_UNPACKED_BUFFER = 64 * 1024
PACKED_SUFFIXES = frozenset({".gz", ".gzip", ".zst", ".zstd"})
DAMAGED = (zlib.error, zstandard.ZstdError, zipfile.BadZipFile, gzip.BadGzipFile, EOFError, RuntimeError)
"""What reading raises for packed bytes that are damaged or cut off; RuntimeError for an archive with a password."""


class Source(io.RawIOBase):
    """A file on disk that counts what was read of it, for progress.

    `watch` is told how many bytes were unpacked so far, and may raise. What has to be unpacked on disk goes to `work`,
    in place of the machine's directory of temporary files.
    """

    def __init__(self, path: Path, *, watch: Callable[[int], None] | None = None, work: Path | None = None) -> None:
        super().__init__()
        self._watch = watch
        self.work = work
        self.unpacked = 0
        """Bytes unpacked so far."""
        self._file = path.open("rb", buffering=0)
        self.size = path.stat().st_size
        self.done = 0
        """Bytes read so far."""

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be positioned, as archives need."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move within the file."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the position within the file."""
        return self._file.tell()

    def readinto(self, buffer: memoryview) -> int:  # pyright: ignore[reportIncompatibleMethodOverride] - the stub says Buffer
        """Read some bytes."""
        count = self._file.readinto(buffer) or 0
        self.done = min(self.size, self.done + count)
        return count

    def count_unpacked(self, count: int) -> None:
        """Count unpacked bytes; raise what `watch` does."""
        self.unpacked += count
        if self._watch is not None:
            self._watch(self.unpacked)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()


class _Unpacked(io.RawIOBase):
    """What is unpacked of a file, counted: rows do not show what lies between them, or what no row comes of."""

    def __init__(self, stream: Any, source: Source) -> None:
        super().__init__()
        self._stream = stream
        self._source = source

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # pyright: ignore[reportIncompatibleMethodOverride] - the stub says Buffer
        """Unpack some bytes."""
        count = self._stream.readinto(buffer) or 0
        self._source.count_unpacked(count)
        return count


def content_hash(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as they lie on disk."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def members(source: Source) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield name and unpacked stream of each file within: one, or those of an archive in the order of their names.

    Raises `UnreadableFileError`; the streams raise one of `DAMAGED` when they are read.
    """
    buffered = io.BufferedReader(source, _BUFFER)
    name = str(getattr(source, "name", ""))
    if buffered.peek(4)[:4] != _ZIP:
        with _unpacked(buffered, source) as stream:
            yield name, stream
        return
    try:
        archive = zipfile.ZipFile(buffered)
    except zipfile.BadZipFile as error:
        raise UnreadableFileError(f"The zip archive is damaged: {error}.") from error
    with archive:
        for info in sorted(archive.infolist(), key=lambda info: info.filename):
            if info.is_dir() or PurePosixPath(info.filename).name.startswith(".") or "__MACOSX" in info.filename:
                continue
            with (
                archive.open(info) as member,
                _unpacked(io.BufferedReader(_Unpacked(member, source), _BUFFER), source) as stream,
            ):
                yield info.filename, stream


@contextmanager
def _unpacked(stream: "io.BufferedReader[Any]", source: Source) -> Generator[IO[bytes]]:
    head = stream.peek(4)[:4]
    if head.startswith(_GZIP):
        with io.BufferedReader(_Unpacked(gzip.GzipFile(fileobj=stream), source), _UNPACKED_BUFFER) as unpacked:
            yield unpacked
    elif head.startswith(_ZSTD):
        reader = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW).stream_reader(stream, read_across_frames=True)
        with io.BufferedReader(_Unpacked(reader, source), _UNPACKED_BUFFER) as unpacked:
            yield unpacked
    else:
        yield stream
