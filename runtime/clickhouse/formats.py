"""What the server has to know of ClickHouse's formats."""

import re

from runtime.clickhouse.errors import ClickHouseError

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")

_ALIASES = {
    "TSV": "TabSeparated",
    "TSVRaw": "TabSeparatedRaw",
    "Raw": "TabSeparatedRaw",
    "TSVWithNames": "TabSeparatedWithNames",
    "TSVWithNamesAndTypes": "TabSeparatedWithNamesAndTypes",
    "TSVRawWithNames": "TabSeparatedRawWithNames",
    "TSVRawWithNamesAndTypes": "TabSeparatedRawWithNamesAndTypes",
    "JSONLines": "JSONEachRow",
    "NDJSON": "JSONEachRow",
    "MD": "Markdown",
}

_TYPES = {
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    "CSVWithNamesAndTypes": "text/csv; charset=UTF-8; header=present",
    "XML": "application/xml; charset=UTF-8",
    "Markdown": "text/markdown; charset=UTF-8",
}
_JSON_DOCUMENTS = {
    "JSON", "JSONStrings", "JSONCompact", "JSONCompactStrings", "JSONColumns", "JSONColumnsWithMetadata",
    "JSONCompactColumns", "JSONObjectEachRow",
}  # fmt: skip
_BINARY = {
    "Native", "RowBinary", "RowBinaryWithNames", "RowBinaryWithNamesAndTypes", "RowBinaryWithDefaults", "Parquet",
    "Arrow", "ArrowStream", "ORC", "Avro", "AvroConfluent", "Protobuf", "ProtobufSingle", "ProtobufList", "CapnProto",
    "MsgPack", "BSONEachRow", "RawBLOB", "Npy", "Buffers",
}  # fmt: skip


def check_name(name: str) -> None:
    """Raise ClickHouseError 73 for what cannot be a format's name.

    Names become part of SQL that no rule of access looks at any more, and of a header.
    """
    if _NAME.fullmatch(name) is None:
        raise ClickHouseError(73, f"Unknown format {name!r}")


def content_type(name: str) -> str:
    """Return the media type that ClickHouse sends with a format."""
    name = _ALIASES.get(name, name)
    if name in _BINARY:
        return "application/octet-stream"
    if name in _JSON_DOCUMENTS:
        return "application/json; charset=UTF-8"
    if name.startswith("JSON"):
        return "application/x-ndjson; charset=UTF-8"
    if name.startswith("TabSeparated"):
        return "text/tab-separated-values; charset=UTF-8"
    return _TYPES.get(name, "text/plain; charset=UTF-8")
