"""A pipe with the engine at its other end, which opens it by its name under /dev/fd."""

import fcntl
import os
from contextlib import suppress

PIPE_BYTES = 1024**2
_SET_SIZE: int | None = getattr(fcntl, "F_SETPIPE_SZ", None)
_GET_SIZE: int | None = getattr(fcntl, "F_GETPIPE_SZ", None)
_LEAST_BYTES = 4096


def open_pipe() -> tuple[int, int, int]:
    """Return the reading and the writing end of a pipe, and how many bytes it holds.

    Linux grants an ordinary user 64 MiB of pipes; beyond that a pipe stays as small as it is made, and only slower.
    """
    reading, writing = os.pipe()
    if _SET_SIZE is None or _GET_SIZE is None:
        return reading, writing, _LEAST_BYTES
    with suppress(OSError):
        fcntl.fcntl(writing, _SET_SIZE, PIPE_BYTES)
    return reading, writing, fcntl.fcntl(writing, _GET_SIZE)
