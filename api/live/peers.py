"""What API processes ask each other: the events since the one that a reader saw last, at whichever of them that was.

Like collectors they publish and store nothing: no event outlives its erasure in Valkey's file.
"""

import secrets
import time

import msgspec
from msgspec import Struct

from api.live.filters import Arrival
from core.events import LandedEvent

QUESTIONS = "radixinsight:api:live:questions"
"""Channel of what is asked: every process that has streams listens to it."""
_ANSWERS = "radixinsight:api:live:answers:"
# A reader that comes back takes no more at once.
_MOST_BYTES = 1024 * 1024


class Question(Struct, frozen=True, array_like=True):
    """Asks for the events of a project after one."""

    answers: str
    """Channel of the answer."""
    project_id: int
    place: str


class Answer(Struct, frozen=True, array_like=True):
    """Stands before the events of an answer."""

    project_id: int
    place: str


class _Told(Struct, frozen=True, array_like=True):
    place: str
    event: LandedEvent


_decode_question = msgspec.json.Decoder(Question).decode
_decode_answer = msgspec.json.Decoder(Answer).decode
_decode_told = msgspec.json.Decoder(_Told).decode_lines


def own_channel() -> str:
    """Return a channel for answers to one process."""
    return f"{_ANSWERS}{secrets.token_hex(8)}"


def pack_question(question: Question) -> bytes:
    """Return a question as it is published."""
    return msgspec.json.encode(question)


def unpack_question(publication: bytes) -> Question:
    """Return what is asked; raises `msgspec.MsgspecError` for what is no question."""
    return _decode_question(publication)


def pack_answer(answer: Answer, arrivals: list[Arrival]) -> bytes | None:
    """Return an answer as it is published; None where it is too large."""
    told = [msgspec.json.encode(_Told(arrival.place, arrival.event)) for arrival in arrivals]
    packed = b"\n".join([msgspec.json.encode(answer), *told])
    return packed if len(packed) <= _MOST_BYTES else None


def unpack_answer(publication: bytes) -> tuple[Answer, list[Arrival]]:
    """Return what is answered; raises `msgspec.MsgspecError` for what is no answer."""
    header, _, lines = publication.partition(b"\n")
    now = time.monotonic()
    return _decode_answer(header), [Arrival(told.place, told.event, now) for told in _decode_told(lines)]
