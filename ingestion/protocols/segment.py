"""Segment's HTTP API, which is also our own `/v1`."""

import re
from dataclasses import dataclass
from typing import Annotated

import msgspec
from msgspec import UNSET, DecodeError, Meta, Raw, Struct, UnsetType, ValidationError
from msgspec.json import Decoder

from core.events import Event, RejectReason
from core.events.event import Instant, JsonObject
from ingestion.errors import MalformedRequestError
from ingestion.validation import RejectedEventError

NAME = "segment"


class Batch(Struct, rename="camel"):
    """The body of `POST /v1/batch`. The events are kept undecoded, so that one bad event spoils none of the others."""

    batch: Annotated[
        list[Raw],
        Meta(
            description="The events, each with its type, in the order in which they happened.",
            extra_json_schema={"items": {"$ref": "#/components/schemas/Event"}},
        ),
    ]
    write_key: Annotated[str | None, Meta(description="The write key, unless it stands in the header.")] = None
    sent_at: Annotated[Instant, Meta(description="The client's clock on sending.")] = None
    context: JsonObject = UNSET


class _Envelope(Struct, rename="camel"):
    """What the request says beside the event itself, when a single event is sent."""

    write_key: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A parsed body: the events as bytes, in the order in which the client sent them."""

    events: list[Raw]
    write_key: str | None
    sent_at: Instant = None
    context: Raw | UnsetType = UNSET
    is_plain: bool = True
    """Whether all of the body is UTF-8 on one line; otherwise each event has to be looked at."""


_decode_batch = Decoder(Batch).decode
_decode_envelope = Decoder(_Envelope).decode
_decode_event = Decoder(Event).decode

# Strings are skipped as a whole, so that brackets within them don't count. One that never ends goes to the end of the
# body, and nothing is tried twice ("possessive"): otherwise every quote in it would be a start for another try.
_STRUCTURE = re.compile(rb'"(?:[^"\\]++|\\.?+)*+"?|[\[\]{},]', re.DOTALL)
_BATCH_MEMBER = re.compile(rb'"batch"\s*:\s*\[')
_KEY_NAME = b'"writeKey"'
_KEY_MEMBER = re.compile(rb'"writeKey"\s*+:\s*+"([^"\\]{1,200})"')
_LINE_BREAKS = bytes.maketrans(b"\r\n", b"  ")
# A `\ud83d` without its second half, as JavaScript writes an emoji that was cut in two.
_SURROGATES = re.compile(
    rb"\\\\|(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


def find_write_key(body: bytes) -> str | None:
    """Return the write key that stands in a body, without looking at its events.

    To be asked before anything that costs more. Where the body is not JSON it is a guess: what `parse_batch` returns
    decides. Raises `MalformedRequestError` for JSON that is no object.
    """
    try:
        return _decode_envelope(body).write_key
    except ValidationError as error:
        raise MalformedRequestError(f"The body is not as expected: {error}.") from error
    except (DecodeError, RecursionError, UnicodeDecodeError):
        # Before the events or after them: one within an event is not the request's.
        opening = _BATCH_MEMBER.search(body)
        member = _KEY_MEMBER.search(body, 0, opening.start()) if opening else None
        if member is None:
            last = body.rfind(_KEY_NAME)
            member = _KEY_MEMBER.match(body, last) if last != -1 else None
        return member.group(1).decode(errors="replace") if member else None


def parse_batch(body: bytes) -> Request:
    """Split the body of a batch into its events; raise `MalformedRequestError` when it is no batch at all."""
    is_plain = _is_plain(body)
    try:
        parsed = _decode_batch(body)
    except ValidationError as error:
        raise MalformedRequestError(f"The body is not a batch: {error}.") from error
    except (DecodeError, RecursionError, UnicodeDecodeError) as error:
        # One event that isn't JSON makes the whole body not JSON. Find where each one starts and ends without
        # decoding them, and parse what is left.
        events, rest = split_batch(body, str(error))
        parsed = _parse_rest(rest, str(error))
    else:
        events = parsed.batch
    context = parsed.context
    if not is_plain and isinstance(context, Raw):
        context = Raw(_on_one_line(bytes(context)))
    return Request(events, parsed.write_key, parsed.sent_at, context, is_plain)


def parse_single(body: bytes) -> Request:
    """Take the body of `POST /v1/track` and its like as one event; raise `MalformedRequestError` for no JSON object."""
    try:
        envelope = _decode_envelope(body)
    except ValidationError as error:
        raise MalformedRequestError(f"The body is not an event: {error}.") from error
    except (DecodeError, RecursionError, UnicodeDecodeError) as error:
        mended = _mend_surrogates(body)
        if mended == body:
            raise MalformedRequestError(f"The body is not JSON: {error}.") from error
        return parse_single(mended)
    return Request([Raw(body)], envelope.write_key, is_plain=_is_plain(body))


def decode_event(raw: Raw, *, is_plain: bool, max_bytes: int) -> Event:
    """Decode one event of a request; raise `RejectedEventError` for bytes that are none, or too many."""
    size = memoryview(raw).nbytes
    if size > max_bytes:
        raise RejectedEventError(RejectReason.EVENT_TOO_LARGE, f"the event has {size} bytes; {max_bytes} are allowed")
    if not is_plain:
        if not _is_utf8(bytes(raw)):
            raise RejectedEventError(RejectReason.INVALID_UTF8, "the event's bytes are not UTF-8")
        raw = Raw(_on_one_line(bytes(raw)))
    try:
        return _decode_event(raw)
    except ValidationError as error:
        raise RejectedEventError(RejectReason.INVALID_SHAPE, str(error)) from error
    except RecursionError as error:
        raise RejectedEventError(RejectReason.NESTED_TOO_DEEP, "objects and arrays are nested too deep") from error
    except DecodeError as error:
        mended = _mend_surrogates(bytes(raw))
        if mended == bytes(raw):
            raise RejectedEventError(RejectReason.INVALID_JSON, str(error)) from error
        return decode_event(Raw(mended), is_plain=True, max_bytes=max_bytes)


def split_batch(body: bytes, error: str) -> tuple[list[Raw], bytes]:
    """Cut the elements of `batch` out of a body that is not JSON, by counting brackets.

    Returns them with what remains of the body around an empty array. Raises `MalformedRequestError`, which quotes
    `error`, when brackets don't match.
    """
    opening = _BATCH_MEMBER.search(body)
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


def _parse_rest(rest: bytes, error: str) -> Batch:
    try:
        return _decode_batch(rest)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as broken:
        raise MalformedRequestError(f"The body is not JSON: {error}.") from broken


def _mend_surrogates(body: bytes) -> bytes:
    """Put U+FFFD in place of each half of a character whose other half is missing."""
    return _SURROGATES.sub(lambda match: rb"\ufffd" if match.group(2) else match.group(), body)


def _on_one_line(json: bytes) -> bytes:
    """Blank out line breaks: a line of the spool is a row. Strings within JSON contain none."""
    return json.translate(_LINE_BREAKS)


def _is_plain(body: bytes) -> bool:
    return b"\n" not in body and b"\r" not in body and _is_utf8(body)


def _is_utf8(body: bytes) -> bool:
    if body.isascii():
        return True
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
