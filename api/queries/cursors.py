"""Where a page of a list ends: what its last row is ordered by, as a text that only the API reads."""

import base64
import binascii
import json
from typing import Any

_REACH_MS = 2**53
_LONGEST = 2_000


def cursor(at_ms: int, key: str | int) -> str:
    """Return the cursor of a row: when, and what tells rows of that instant apart.

    >>> position(cursor(5, "m1"), str)
    (5, 'm1')
    """
    return base64.urlsafe_b64encode(json.dumps([at_ms, key]).encode()).decode()


def position(text: str, kind: type) -> tuple[int, Any]:
    """Read a cursor whose key is of a kind; raises ValueError for anything else."""
    refused = ValueError("it is no cursor: give `next` of the page before, or leave it out")
    if len(text) > _LONGEST:
        raise refused
    try:
        read = json.loads(base64.b64decode(text, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise refused from error
    match read:
        case [int(at_ms), key] if type(key) is kind and -_REACH_MS < at_ms < _REACH_MS:
            if kind is str or 0 <= key < 2**32:
                return at_ms, key
        case _:
            pass
    raise refused
