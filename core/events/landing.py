"""What lands in ClickHouse: one struct per table, its fields in the order of the table's columns."""

from typing import Annotated, get_args, get_origin, get_type_hints

from msgspec import Meta, Raw, Struct

from core.events import fields

_EMPTY_STRING = Raw(b'""')


class LandedEvent(Struct, kw_only=True, omit_defaults=True, gc=False):
    """One row of `raw.events`, except for `inserted_at`, which ClickHouse sets.

    Encoded as JSON it is a line for ClickHouse's `JSONEachRow`. What is empty is left out, and ClickHouse fills in the
    same default; JSON objects go in as they are and are stored as text.
    """

    project_id: fields.ProjectId
    message_id: fields.MessageId
    type: fields.Type
    event: fields.EventName
    anonymous_id: fields.AnonymousId = ""
    user_id: fields.UserId = ""
    previous_id: fields.PreviousId = ""
    session_id: fields.SessionId = ""
    group_type: fields.GroupType = ""
    group_id: fields.GroupId = ""
    timestamp: fields.Timestamp
    original_timestamp: fields.OriginalTimestamp = None
    sent_at: fields.SentAt = None
    received_at: fields.ReceivedAt
    sequence: fields.Sequence = 0
    properties: fields.Properties = _EMPTY_STRING
    traits: fields.Traits = _EMPTY_STRING
    traits_once: fields.TraitsOnce = _EMPTY_STRING
    traits_increment: fields.TraitsIncrement = _EMPTY_STRING
    context: fields.Context = _EMPTY_STRING
    ip: fields.Ip = ""
    user_agent: fields.UserAgent = ""
    country: fields.Country = ""
    protocol: fields.Protocol
    library: fields.Library = ""
    write_key_id: fields.WriteKeyId
    batch_id: fields.BatchId
    schema_version: fields.SchemaVersion = 0
    schema_deviations: fields.SchemaDeviations = []


class Reject(Struct, kw_only=True, omit_defaults=True, gc=False):
    """One row of `raw.rejects`, except for `inserted_at`, which ClickHouse sets.

    `payload` is a JSON string literal made by `json_string`, because what was refused may not even be UTF-8.
    """

    project_id: fields.ProjectId
    write_key_id: fields.WriteKeyId
    received_at: fields.ReceivedAt
    reason: fields.Reason
    detail: fields.Detail = ""
    payload: fields.Payload
    message_id: fields.RejectedMessageId = ""
    protocol: fields.Protocol
    path: fields.Path = ""
    ip: fields.Ip = ""
    batch_id: fields.BatchId


class Acknowledged(Struct, kw_only=True, gc=False):
    """One row of `raw.acknowledged`, except for `inserted_at`, which ClickHouse sets.

    One row per project, segment and source. It counts what `raw.events` and `raw.rejects` must hold of the segment, and
    comes another way than they do.
    """

    project_id: fields.ProjectId
    batch_id: fields.BatchId
    source: fields.Source
    events: fields.AcceptedEvents = 0
    rejects: fields.RejectedEvents = 0
    ledger_id: fields.LedgerId = ""
    page: fields.Page = 0
    is_in_spool: fields.IsInSpool = 0
    begun_at: fields.BegunAt


def columns(row: type[Struct]) -> list[tuple[str, str, str]]:
    """Return name, ClickHouse type and comment of every column that `row` fills, in the order of the table.

    >>> columns(LandedEvent)[0]
    ('project_id', 'UInt32', 'Project that the write key belongs to.')
    """
    return [(name, *_column(hint)) for name, hint in get_type_hints(row, include_extras=True).items()]


def _column(hint: object) -> tuple[str, str]:
    if get_origin(hint) is Annotated:
        for meta in get_args(hint)[1:]:
            if isinstance(meta, Meta) and meta.extra is not None:
                return meta.extra[fields.COLUMN], meta.description or ""
    raise TypeError(f"{hint} names no ClickHouse type")
