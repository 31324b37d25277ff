"""Where an answer's figures come from."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field


class Unmodelled(BaseModel):
    """Events that landed and that no refresh has modelled yet."""

    events: Annotated[
        int | None,
        Field(description="How many of the project's events these are, in any range; null where they are too many."),
    ]
    until: Annotated[datetime, Field(description="Looked at is what landed before this instant (UTC).")]
    is_counted: Annotated[
        bool,
        Field(
            description="Whether they are in the answer. Sessions, persons and marts of defined insights are as the "
            "latest refresh made them, and so is all in the midst of several exchanges of tables."
        ),
    ]


class Meta(BaseModel):
    """Where the figures come from: enough to compute them again by hand."""

    sources: Annotated[list[str], Field(description="Tables that were read.")]
    sql: Annotated[str, Field(description="The statement that was run; values stand in it as `{name:Type}`.")]
    parameters: Annotated[
        dict[str, str | int | float | list[str] | list[int] | list[float] | list[list[int]]],
        Field(description="The values that were bound to the statement."),
    ]
    computed_at: Annotated[datetime, Field(description="When ClickHouse computed it, UTC.")]
    fresh_until: Annotated[
        datetime | None,
        Field(
            description="When the newest of the project's events that may count was received, UTC; null while it has "
            "none. Events received before may still follow: they can land out of order."
        ),
    ]
    unmodelled: Annotated[
        Unmodelled | None,
        Field(
            description="What there is beside the modelled events; null when all that landed is modelled. Persons are "
            "those of the latest refresh: an identify since then holds for these events only."
        ),
    ]
    data_version: Annotated[
        str, Field(description="Changes with every change of the modelled events and of ClickHouse's version.")
    ]
    elapsed_ms: Annotated[float, Field(description="How long this answer took, in milliseconds.")]
    cached: Annotated[bool, Field(description="Whether it was computed before, from the same version of the data.")]
    read_rows: Annotated[int, Field(description="Rows that ClickHouse read to compute it.")]
    read_bytes: Annotated[int, Field(description="Bytes that ClickHouse read to compute it.")]
    plan: Annotated[
        list[str] | None,
        Field(description="How ClickHouse would run the statement now, line by line; null unless it is asked for."),
    ] = None
