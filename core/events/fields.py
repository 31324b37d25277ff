"""What each field of an event means, and as which ClickHouse type it is stored.

Both structs, what the client says and what lands, are made of these, so that a meaning stands in one place. Instants
are seconds since 1970 in UTC with milliseconds as decimals; in the warehouse they are `DateTime64(3, 'UTC')`.
"""

from typing import Annotated

from msgspec import Meta, Raw

STRING = "String"
LOW_CARDINALITY = "LowCardinality(String)"
NUMBER = "UInt32"
FLAG = "UInt8"
INSTANT = "DateTime64(3, 'UTC')"
OPTIONAL_INSTANT = f"Nullable({INSTANT})"
LIST_OF_WORDS = "Array(LowCardinality(String))"
COLUMN = "clickhouse_type"
"""Key of the ClickHouse type in a field's `Meta.extra`."""


def _column(clickhouse_type: str, description: str) -> Meta:
    return Meta(description=description, extra={COLUMN: clickhouse_type})


ProjectId = Annotated[int, _column(NUMBER, "Project that the write key belongs to.")]
MessageId = Annotated[
    str, _column(STRING, "The client's id of the event: two events of a project with the same one are one event.")
]
Type = Annotated[str, _column(LOW_CARDINALITY, "track, identify, page, screen, group or alias.")]
EventName = Annotated[
    str,
    _column(LOW_CARDINALITY, "Name of a track; $pageview, $screen, $identify, $group or $alias for the others."),
]
AnonymousId = Annotated[str, _column(STRING, "Device or browser; empty when absent.")]
UserId = Annotated[str, _column(STRING, "Identified user; empty when absent.")]
PreviousId = Annotated[str, _column(STRING, "For alias: the id that becomes one with user_id.")]
SessionId = Annotated[str, _column(STRING, "The SDK's session; empty when absent.")]
GroupType = Annotated[str, _column(LOW_CARDINALITY, "For group: the kind of group, e.g. company.")]
GroupId = Annotated[str, _column(STRING, "For group: its id.")]
Timestamp = Annotated[float, _column(INSTANT, "When the event happened, on the corrected clock.")]
OriginalTimestamp = Annotated[float | None, _column(OPTIONAL_INSTANT, "When it happened, as the client said.")]
SentAt = Annotated[float | None, _column(OPTIONAL_INSTANT, "The client's clock on sending.")]
ReceivedAt = Annotated[float, _column(INSTANT, "Our clock on receiving.")]
Sequence = Annotated[int, _column(NUMBER, "Position in its request: the order in which the client sent.")]
Properties = Annotated[Raw, _column(STRING, "JSON object as it came; empty when absent.")]
Traits = Annotated[Raw, _column(STRING, "JSON object as it came; empty when absent.")]
TraitsOnce = Annotated[Raw, _column(STRING, "JSON object of traits to set where there are none; empty when absent.")]
TraitsIncrement = Annotated[Raw, _column(STRING, "JSON object of numbers to add to traits; empty when absent.")]
Context = Annotated[Raw, _column(STRING, "JSON object as it came; empty when absent.")]
Ip = Annotated[
    str,
    _column(STRING, "As much of the client's address as the project keeps: of the context's, else of the request's."),
]
UserAgent = Annotated[str, _column(LOW_CARDINALITY, "User agent: as the context says, else the request's.")]
Country = Annotated[
    str, _column(LOW_CARDINALITY, "ISO 3166-1 code of the address's country on receiving; empty when not known.")
]
Protocol = Annotated[str, _column(LOW_CARDINALITY, "Wire protocol, e.g. segment.")]
Library = Annotated[str, _column(LOW_CARDINALITY, "Client library and its version, e.g. analytics-python/2.3.2.")]
WriteKeyId = Annotated[int, _column(NUMBER, "Write key that was used.")]
BatchId = Annotated[str, _column(LOW_CARDINALITY, "Spool segment in which it was made durable.")]
SchemaVersion = Annotated[int, _column(NUMBER, "Version of the event schema that it was judged by; 0 when by none.")]
SchemaDeviations = Annotated[
    list[str], _column(LIST_OF_WORDS, "Where it does not fit that schema and by which rule, e.g. /amount type.")
]
Path = Annotated[str, _column(LOW_CARDINALITY, "Path that it was sent to; empty for what ClickHouse refused.")]
Reason = Annotated[str, _column(LOW_CARDINALITY, "Stable code of why, e.g. illegal_id.")]
Detail = Annotated[str, _column(STRING, "What was wrong, for people.")]
Payload = Annotated[Raw, _column(STRING, "The event's bytes as they came.")]
RejectedMessageId = Annotated[str, _column(STRING, "The client's id of the event, if it could be read.")]
Source = Annotated[
    str,
    _column(
        LOW_CARDINALITY,
        "collector: what it acknowledged, by its ledger. shipper: what it found in a segment whose collector had died.",
    ),
]
AcceptedEvents = Annotated[int, _column(NUMBER, "Events that were accepted, once for each delivery.")]
RejectedEvents = Annotated[int, _column(NUMBER, "Events that were made durable as rejects.")]
LedgerId = Annotated[str, _column(LOW_CARDINALITY, "Ledger of the collector process; empty from the shipper.")]
Page = Annotated[
    int,
    _column(NUMBER, "Which page of its ledger, from 1 on without a gap, one for each segment; 0 from the shipper."),
]
IsInSpool = Annotated[int, _column(FLAG, "1 while the segment waits in the spool, 0 once it is gone from there.")]
BegunAt = Annotated[float, _column(INSTANT, "When the segment was begun: the day to which it counts.")]
