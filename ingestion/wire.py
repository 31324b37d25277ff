"""What a wire protocol is given, and what it makes of it."""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from msgspec import UNSET, Raw, UnsetType

from core.errors import RadixError
from core.events import Event, RejectReason
from core.events.event import Instant
from core.metadata.projects import WRITE_KEY_PREFIX

JSON = "application/json"
_MAX_REPORTED_REJECTS = 100


@dataclass(frozen=True, slots=True)
class Wire:
    """One HTTP request: header names in lower case, the body unpacked (empty while only the head was read)."""

    method: str
    path: str
    query_string: bytes
    headers: Mapping[str, str]
    ip: str = ""
    """The client's address, as trusted proxies say it."""
    body: bytes = b""
    request_id: str = ""

    @property
    def parameters(self) -> dict[str, str]:
        """The query's parameters; of several with one name the last."""
        return dict(parse_qsl(self.query_string.decode("latin-1"), keep_blank_values=True))

    @property
    def header_key(self) -> str | None:
        """The write key in the head: the user name of Basic authentication or a Bearer token; None without one."""
        scheme, _, credentials = self.headers.get("authorization", "").partition(" ")
        match scheme.lower():
            case "basic":
                try:
                    return base64.b64decode(credentials).decode().partition(":")[0]
                except ValueError:
                    return None
            case "bearer":
                return credentials.strip()
            case _:
                return None

    @property
    def header_write_key(self) -> str | None:
        """`header_key` where it looks like a write key: a staging site's password or a proxy's token does not.

        For protocols that have their key in the body.
        """
        key = self.header_key
        return key if key is not None and key.startswith(WRITE_KEY_PREFIX) else None


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer."""

    body: bytes
    media_type: str = JSON
    status: int = 200
    headers: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Rejection:
    """One event that was refused while its request was taken."""

    index: int
    """Its position in the request."""
    reason: RejectReason
    detail: str


def rejection_members(rejected: list[Rejection]) -> dict[str, Any]:
    """Return the members of an answer that tell of rejects: how many, and the first hundred of them."""
    rejects = [
        {"index": rejection.index, "reason": rejection.reason, "detail": rejection.detail}
        for rejection in rejected[:_MAX_REPORTED_REJECTS]
    ]
    return {"rejected": len(rejected), "rejects": rejects}


@dataclass(frozen=True, slots=True)
class Delivery:
    """A parsed request.

    `events` are the bytes of each event in the order in which the client sent them; a rejected one is kept as these
    bytes. `decode` makes our event of one of them or raises `RejectedEventError`. `reply` says how the client wants to
    hear of it when everything is on disk. `sent_at` and `context` hold for events that carry none. `uses_ip` says
    whether the request's address is the person's: events that name none get it.
    """

    events: list[Raw]
    decode: Callable[[Raw], Event]
    reply: Callable[[list[Rejection]], Reply]
    write_key: str | None = None
    sent_at: Instant = None
    context: Raw | UnsetType = UNSET
    uses_ip: bool = True


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What is served under one path.

    `parse` raises `MalformedRequestError` for a body that is nothing of this protocol at all. `find_key` looks for the
    write key in a body without looking at its events, to be asked before anything that costs more. `refuse` says an
    error in the protocol's own way. `choose` returns the endpoint that serves a request, on a path that is shared.
    `wrap` makes of the bytes of one event a body that `parse` takes, for rejects that are judged anew. `head_key`
    returns the write key in the head, where that is another than `Wire.header_key`.
    """

    protocol: str
    parse: Callable[[Wire], Delivery]
    find_key: Callable[[Wire], str | None] | None = None
    refuse: Callable[[Wire, RadixError], Reply] | None = None
    methods: frozenset[str] = frozenset({"POST"})
    choose: Callable[[Wire], "Endpoint"] | None = None
    wrap: Callable[[bytes], bytes] = bytes
    head_key: Callable[[Wire], str | None] | None = None

    def chosen(self, wire: Wire) -> "Endpoint":
        """Return the endpoint that serves `wire`: itself, unless its path is shared."""
        return self if self.choose is None else self.choose(wire)


Claimant = tuple[Callable[[Wire], bool], Endpoint]
"""Says cheaply, from what was read of a request so far, whether it is its endpoint's."""


def shared(claimants: Sequence[Claimant]) -> Endpoint:
    """Return what serves a path that several protocols claim: the first that claims a request, else the last."""

    def choose(wire: Wire) -> Endpoint:
        return next((endpoint for claims, endpoint in claimants if claims(wire)), last)

    last = claimants[-1][1]
    methods = frozenset[str]().union(*(endpoint.methods for _, endpoint in claimants))
    return Endpoint(last.protocol, last.parse, methods=methods, choose=choose, head_key=last.head_key)


def header_write_key(wire: Wire) -> str | None:
    """Return `Wire.header_write_key`: the `head_key` of protocols that have their key in the body."""
    return wire.header_write_key


def problem(wire: Wire, error: RadixError) -> Reply:
    """Return `error` as a problem document (RFC 9457)."""
    body = msgspec.json.encode(error.problem(instance=wire.path))
    return Reply(body, "application/problem+json", error.status, error.headers)
