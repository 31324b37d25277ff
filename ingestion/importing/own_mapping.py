"""Mappings of one's own: a TOML or JSON document that says which column is what.

    name = "shop"

    [columns]                        # column → place in the event
    visitor = "anonymousId"
    action = "event"
    at = "timestamp"
    amount = "properties.revenue"
    plan = "traits.plan"
    agent = "context.userAgent"

    [constants]                      # place → value
    type = "track"

    [timestamp]
    format = "%d.%m.%Y %H:%M:%S"
    zone = "Europe/Berlin"

A place is a member of an event (docs/events.md); within `properties`, `traits`, `traitsOnce`, `traitsIncrement` and
`context` one names what is inside, or the whole for a column of JSON objects.
"""

import codecs
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct
from msgspec.json import Decoder

from core.events import EventType, RejectReason
from ingestion import lenient_json
from ingestion.importing import instants
from ingestion.importing.errors import InvalidMappingError
from ingestion.importing.exports import TRANSLATE, export
from ingestion.importing.mapping import Mapping, encoded
from ingestion.importing.readers import Form, Format, Row
from ingestion.rejection import RejectedEventError

Kind = Literal["auto", "text", "number", "boolean", "json"]
_OBJECTS = ("properties", "traits", "traitsOnce", "traitsIncrement", "context")
_MEMBERS = (
    *("type", "messageId", "event", "name", "category", "anonymousId", "userId", "previousId"),
    *("groupId", "groupType", "sessionId", "timestamp"),
)
_TEXTS = frozenset({"type", "messageId", "event", "name", "category", "groupType"})
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,14})(?:\.\d{1,15})?")
_TRUE, _FALSE = frozenset({"true", "t", "yes", "y", "1"}), frozenset({"false", "f", "no", "n", "0"})
_NULL = Raw(b"null")
_NO_DELIMITERS = frozenset('\n\r"\0')
_ENCODINGS = frozenset(
    {
        *("ascii", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"),
        *("iso8859-1", *(f"iso8859-{part}" for part in (*range(2, 12), *range(13, 17)))),
        *(f"cp{page}" for page in (437, 850, 852, 855, 857, 858, 862, 866, 874, *range(1250, 1259))),
        *("mac-roman", "koi8-r", "koi8-u", "shift_jis", "cp932", "euc_jp", "gb2312", "gbk", "gb18030", "big5"),
        *("euc_kr", "cp949"),
    }
)
"""By the names that Python gives them. It knows others too: some are no encodings of text, some take any time."""
_SHAPE = "segment"
_SHOWN_CHARACTERS = 80
_decode_members = Decoder(dict[str, Raw]).decode
_decode_any = Decoder().decode


class _Timestamp(Struct, forbid_unknown_fields=True):
    format: str = "iso"
    zone: str = "UTC"


class _Csv(Struct, forbid_unknown_fields=True):
    delimiter: str | None = None
    encoding: str = "utf-8"


class Document(Struct, forbid_unknown_fields=True, kw_only=True):
    """What a mapping of one's own says. docs/import.md describes every member."""

    name: str
    columns: dict[str, str | list[str]]
    constants: dict[str, Any] = msgspec.field(default_factory=dict[str, Any])
    types: dict[str, Kind] = msgspec.field(default_factory=dict[str, Kind])
    others: Literal["properties", "drop"] = "properties"
    nulls: list[str] = msgspec.field(default_factory=lambda: [""])
    timestamp: _Timestamp = msgspec.field(default_factory=_Timestamp)
    csv: _Csv = msgspec.field(default_factory=_Csv)
    format: Format | None = None


def find_mapping(text: str, *, zone: str | None = None) -> Mapping:
    """Return the mapping that `text` names or, when it is a JSON object, describes; raise `InvalidMappingError`."""
    if not text.lstrip().startswith("{"):
        return export(text, zone)
    try:
        return own_mapping(msgspec.json.decode(text, type=Document), zone)
    # Whatever sense a stranger's document makes to nobody, it is theirs.
    except (msgspec.MsgspecError, RecursionError, ValueError, TypeError) as error:
        raise InvalidMappingError(f"The mapping cannot be read: {error}.") from error


def read_mapping(name_or_path: str, *, zone: str | None = None) -> Mapping:
    """Return a ready mapping by its name, or one of one's own from a .toml or .json file."""
    path = Path(name_or_path)
    if name_or_path in TRANSLATE or path.suffix not in {".toml", ".json"}:
        return export(name_or_path, zone)
    try:
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text) if path.suffix == ".toml" else msgspec.json.decode(text)
        return own_mapping(msgspec.convert({"name": path.stem} | content, Document), zone)
    except (OSError, ValueError, TypeError, msgspec.MsgspecError) as error:
        raise InvalidMappingError(f"{path}: {error}.") from error


def own_mapping(document: Document, zone: str | None = None) -> Mapping:
    """Return the mapping that a document describes; `zone` goes before the document's own."""
    if zone is not None:
        document = msgspec.structs.replace(document, timestamp=_Timestamp(document.timestamp.format, zone))
    if not document.name or document.name in TRANSLATE:
        raise InvalidMappingError(f"A mapping needs a name that is none of {', '.join(TRANSLATE)}.")
    delimiter = document.csv.delimiter
    if delimiter is not None and (len(delimiter) != 1 or delimiter in _NO_DELIMITERS):
        raise InvalidMappingError("csv.delimiter must be one character, and neither a quote nor the end of a line.")
    if not _is_known(document.csv.encoding):
        raise InvalidMappingError(
            f"csv.encoding {document.csv.encoding[:50]!r} is not known. Use utf-8, utf-16, latin-1, cp1252 or another "
            "common encoding of text."
        )
    rules = _Rules(document)
    return Mapping(
        document.name,
        _SHAPE,
        rules.bring,
        TRANSLATE[_SHAPE],
        Form(document.format, delimiter, document.csv.encoding),
        msgspec.to_builtins(document),
    )


def _is_known(encoding: str) -> bool:
    try:
        return codecs.lookup(encoding).name in _ENCODINGS
    except (LookupError, ValueError):
        return False


class _Rules:
    """A document, made ready for many rows."""

    def __init__(self, document: Document) -> None:
        self._places = [
            (column, place, self._converter(document, column, place))
            for column, places in document.columns.items()
            for place in ([places] if isinstance(places, str) else places)
        ]
        self._constants = list(document.constants.items())
        said = {place for _, place, _ in self._places} | set(document.constants)
        for place in said:
            _check(place)
            if place in _OBJECTS and not isinstance(document.constants.get(place, {}), dict):
                raise InvalidMappingError(f"The constant {place} must be an object.")
        if "timestamp" not in said:
            raise InvalidMappingError("A mapping must say what the timestamp is: history knows when it happened.")
        kind = document.constants.get("type", "track")
        if "type" not in said:
            self._constants.append(("type", "track"))
        elif "type" in document.constants and (not isinstance(kind, str) or kind not in set(EventType)):
            raise InvalidMappingError(f"type is {kind!r}; it must be one of {', '.join(sorted(EventType))}.")
        self._nulls = frozenset(document.nulls)
        self._keeps_others = document.others == "properties"
        self._types = document.types
        self._used = {column for column, _, _ in self._places}
        self._used |= {column.split(".")[0] for column in self._used}

    def bring(self, row: Row, make_id: Callable[[bytes], str]) -> bytes:
        """Return the row as an event in Segment's shape."""
        if isinstance(row, bytes):
            content: bytes = row
            cells: dict[str, Any] = lenient_json.decode_event(Raw(row), _decode_members, plain=False)
        else:
            content, cells = encoded(row), row
        event: dict[str, Any] = {}
        for place, value in self._constants:
            _put(event, place, value)
        for column, place, convert in self._places:
            value = _cell(cells, column)
            if value is not None and not (isinstance(value, str) and value in self._nulls):
                _put(event, place, _converted(column, convert, value))
        if self._keeps_others:
            self._keep_others(event, cells)
        if not event.get("messageId") or event["messageId"] == _NULL:
            event["messageId"] = make_id(content)
        return encoded(event)

    def _keep_others(self, event: dict[str, Any], cells: dict[str, Any]) -> None:
        properties = event.setdefault("properties", {})
        for column, value in cells.items():
            if column in self._used or value is None or (isinstance(value, str) and value in self._nulls):
                continue
            kind = self._types.get(column, "auto")
            kept = _converted(column, _CONVERT[kind], value) if isinstance(value, str) else value
            properties.setdefault(column, kept)

    @staticmethod
    def _converter(document: Document, column: str, place: str) -> Callable[[Any], Any]:
        if place == "timestamp":
            read = instants.reader(document.timestamp.format, document.timestamp.zone)
            return lambda value: read(_decode_any(value) if isinstance(value, Raw) else value)
        if place in _OBJECTS:
            return _object
        is_open = place.startswith(("properties.", "traits"))
        convert = _CONVERT[document.types.get(column, "auto" if is_open else "text")]
        if place in _MEMBERS:
            return _text if place in _TEXTS else lambda value: value if isinstance(value, Raw) else str(value)
        return lambda value: convert(value) if isinstance(value, str) else value


def _check(place: str) -> None:
    first, _, rest = place.partition(".")
    if place not in _MEMBERS and (first not in _OBJECTS or (not rest and "." in place)):
        raise InvalidMappingError(
            f"{place!r} is no place in an event. There are {', '.join(_MEMBERS)}, and {', '.join(_OBJECTS)} with what "
            "is inside, as in properties.revenue."
        )


def _cell(cells: dict[str, Any], column: str) -> Any:
    value = cells.get(column)
    if value is None and "." in column:
        for part in column.split("."):
            inner = cells.get(part) if part in cells else None
            if isinstance(inner, Raw) and bytes(inner).startswith(b"{"):
                cells = value = _decode_members(inner)
            elif isinstance(inner, dict):
                cells = value = inner
            else:
                cells, value = {}, inner
    return None if value == _NULL else value


def _converted(column: str, convert: Callable[[Any], Any], value: Any) -> Any:
    """Return what a cell becomes. A reason to refuse it names the column, never the value: it may be personal."""
    try:
        return convert(value)
    except RejectedEventError as error:
        raise RejectedEventError(error.reason, f"column {column[:_SHOWN_CHARACTERS]}: {error.detail}") from error


def _put(event: dict[str, Any], place: str, value: Any) -> None:
    first, _, rest = place.partition(".")
    if first not in _OBJECTS:
        event[place] = value
        return
    inside = event.setdefault(first, {})
    if not rest:
        inside |= {name: member for name, member in value.items() if name not in inside}
    elif first == "context":
        *path, last = rest.split(".")
        for part in path:
            inside[part] = inside = _opened(inside.get(part))
        inside[last] = value
    else:
        inside[rest] = value


def _opened(value: Any) -> dict[str, Any]:
    """Return a copy of an object that more is put into: it may be a constant, or JSON."""
    if isinstance(value, dict):
        return {**value}
    return {**_decode_members(value)} if isinstance(value, Raw) and bytes(value)[:1] == b"{" else {}


def _text(value: Any) -> Any:
    """Return a member that has to be text: numbers of JSON as they are written."""
    if not isinstance(value, Raw):
        return str(value)
    return value if bytes(value)[:1] in b'"{[' else bytes(value).decode()


def _object(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    try:
        return _decode_members(value if isinstance(value, str | Raw) else b"")
    except (msgspec.MsgspecError, RecursionError) as error:
        raise RejectedEventError(RejectReason.INVALID_SHAPE, "it is no JSON object") from error


def _auto(text: str) -> Any:
    if _NUMBER.fullmatch(text):
        return Raw(text.encode())
    return text if text not in {"true", "false"} else text == "true"


def _number(text: str) -> Any:
    try:
        msgspec.json.decode(text.strip(), type=int | float)
        return Raw(text.strip().encode())
    except msgspec.MsgspecError as error:
        raise RejectedEventError(RejectReason.INVALID_SHAPE, "it is no number") from error


def _boolean(text: str) -> bool:
    lower = text.strip().lower()
    if lower not in _TRUE | _FALSE:
        raise RejectedEventError(RejectReason.INVALID_SHAPE, "it is neither true nor false")
    return lower in _TRUE


def _json(text: str) -> Raw:
    try:
        _decode_any(text)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise RejectedEventError(RejectReason.INVALID_SHAPE, "it is not JSON") from error
    return Raw(text.encode())


_CONVERT: dict[Kind, Callable[[str], Any]] = {
    "auto": _auto,
    "text": str,
    "number": _number,
    "boolean": _boolean,
    "json": _json,
}
