"""Reads JSON as clients really send it: one event that is no JSON must not sink the others of its request."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

import msgspec
from msgspec import DecodeError, Raw, ValidationError

from core.events import RejectReason
from ingestion.errors import MalformedRequestError
from ingestion.rejection import RejectedEventError

_T = TypeVar("_T")
NOT_JSON = (DecodeError, RecursionError, UnicodeDecodeError)
"""What msgspec raises for bytes that are no JSON. `ValidationError` is a `DecodeError` too: catch it first."""

# Strings are skipped as a whole, so that brackets within them don't count. One that never ends goes to the end of the
# body, and nothing is tried twice ("possessive"): otherwise every quote in it would be a start for another try.
_STRUCTURE = re.compile(rb'"(?:[^"\\]++|\\.?+)*+"?|[\[\]{},]', re.DOTALL)
_LINE_BREAKS = bytes.maketrans(b"\r\n", b"  ")
# A `\ud83d` without its second half, as JavaScript writes an emoji that was cut in two.
_SURROGATES = re.compile(
    rb"\\\\|(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


def is_plain(body: bytes) -> bool:
    """Say whether all of a body is UTF-8 on one line; otherwise each of its events has to be looked at."""
    return b"\n" not in body and b"\r" not in body and is_utf8(body)


def is_utf8(body: bytes) -> bool:
    """Say whether the bytes are UTF-8."""
    if body.isascii():
        return True
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def on_one_line(json: bytes) -> bytes:
    """Blank out line breaks: a line of the spool is a row. Strings within JSON contain none."""
    return json.translate(_LINE_BREAKS)


def mend_surrogates(body: bytes) -> bytes:
    """Put U+FFFD in place of each half of a character whose other half is missing."""
    return _SURROGATES.sub(lambda match: rb"\ufffd" if match.group(2) else match.group(), body)


def decode_event(raw: Raw, decode: Callable[[Raw], _T], *, plain: bool) -> _T:
    """Decode one event of a request; raise `RejectedEventError` for bytes that are none.

    `plain` is what `is_plain` said of the body.
    """
    if not plain:
        if not is_utf8(bytes(raw)):
            raise RejectedEventError(RejectReason.INVALID_UTF8, "the event's bytes are not UTF-8")
        raw = Raw(on_one_line(bytes(raw)))
    try:
        return decode(raw)
    except ValidationError as error:
        raise RejectedEventError(RejectReason.INVALID_SHAPE, str(error)) from error
    except RecursionError as error:
        raise RejectedEventError(RejectReason.NESTED_TOO_DEEP, "objects and arrays are nested too deep") from error
    except DecodeError as error:
        mended = mend_surrogates(bytes(raw))
        if mended == bytes(raw):
            raise RejectedEventError(RejectReason.INVALID_JSON, str(error)) from error
        return decode_event(Raw(mended), decode, plain=True)


def decode_envelope(body: bytes, decode: Callable[[bytes], _T], member: str) -> tuple[_T, list[Raw] | None]:
    """Decode a body that holds its events in the list `member`.

    Where one event makes the whole body no JSON, the events are cut out by counting brackets and returned beside the
    envelope, which then has an empty list; None otherwise. Raises `MalformedRequestError`.
    """
    try:
        return decode(body), None
    except ValidationError as error:
        raise MalformedRequestError(f"The body is not as expected: {error}.") from error
    except NOT_JSON as error:
        events, rest = split_list(body, member, str(error))
        try:
            return decode(rest), events
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as broken:
            raise MalformedRequestError(f"The body is not JSON: {error}.") from broken


def split_list(body: bytes, member: str, error: str) -> tuple[list[Raw], bytes]:
    """Cut the elements of the list `member` out of a body that is not JSON, by counting brackets.

    Returns them with what remains of the body around an empty list. Raises `MalformedRequestError`, which quotes
    `error`, when brackets don't match.
    """
    opening = _opening_of(member).search(body)
    if opening is None:
        raise MalformedRequestError(f"The body is not JSON: {error}.")
    events: list[Raw] = []
    start = opening.end()
    depth = 0
    for token in _STRUCTURE.finditer(body, start):
        match token.group():
            case b"{" | b"[":
                depth += 1
            case b"," if depth == 0:
                events.append(Raw(body[start : token.start()].strip()))
                start = token.end()
            case b"]" if depth == 0:
                last = body[start : token.start()].strip()
                if last:
                    events.append(Raw(last))
                return events, body[: opening.end()] + body[token.start() :]
            case b"}" | b"]":
                depth -= 1
            case _:
                pass
    raise MalformedRequestError(f"The body is not JSON: {error}.")


def first_list(body: bytes, *members: str) -> str | None:
    """Say which of the members opens a list first: the one that holds the events, since theirs come after it."""
    openings = ((opening.start(), member) for member in members if (opening := _opening_of(member).search(body)))
    return min(openings, default=(0, None))[1]


def find_text(body: bytes, name: str, list_member: str) -> str | None:
    """Guess the text of a member of a body that is not JSON: before its list of events, or the last one after it.

    One within an event is not the request's.
    """
    text = _text_of(name)
    opening = _opening_of(list_member).search(body)
    member = text.search(body, 0, opening.start()) if opening else None
    if member is None:
        last = body.rfind(b'"%b"' % name.encode())
        member = text.match(body, last) if last != -1 else None
    return member.group(1).decode(errors="replace") if member else None


@lru_cache
def _opening_of(member: str) -> re.Pattern[bytes]:
    return re.compile(rb'"%b"\s*:\s*\[' % re.escape(member.encode()))


@lru_cache
def _text_of(member: str) -> re.Pattern[bytes]:
    return re.compile(rb'"%b"\s*+:\s*+"([^"\\]{1,200})"' % re.escape(member.encode()))
