"""Why an event was refused. The codes are stable: people filter and replay by them."""

from enum import StrEnum


class RejectReason(StrEnum):
    """What stands in `raw.rejects.reason`."""

    INVALID_JSON = "invalid_json"
    """Not valid JSON, while the rest of its batch is."""
    INVALID_UTF8 = "invalid_utf8"
    """Bytes that are not UTF-8."""
    INVALID_SHAPE = "invalid_shape"
    """A member has the wrong type, or the event is not a JSON object."""
    NESTED_TOO_DEEP = "nested_too_deep"
    """More levels of objects and arrays than an event may have."""
    TOO_MANY_MEMBERS = "too_many_members"
    """More members of objects than an event may have."""
    TEXT_TOO_LONG = "text_too_long"
    """A text with more bytes than one may have."""
    EVENT_TOO_LARGE = "event_too_large"
    """More bytes than one event may have."""
    INVALID_TYPE = "invalid_type"
    """The type is missing or is none of the six."""
    INVALID_EVENT_NAME = "invalid_event_name"
    """A track without a name, or a name that is too long or has a NUL in it."""
    INVALID_MESSAGE_ID = "invalid_message_id"
    """A message id that is too long or has a NUL in it."""
    INVALID_TIMESTAMP = "invalid_timestamp"
    """A timestamp that is no instant, or none between 1970 and 2299."""
    MISSING_ID = "missing_id"
    """No id of the kinds that this type needs."""
    OTHER_WRITE_KEY = "other_write_key"
    """The event names another write key than the request that it came in."""
    ILLEGAL_ID = "illegal_id"
    """An id that would melt many persons into one, such as `null` or `guest`, or one that is too long
    or has a NUL in it."""
    REFUSED_BY_WAREHOUSE = "refused_by_warehouse"
    """ClickHouse could not take this row although its neighbours were fine."""
