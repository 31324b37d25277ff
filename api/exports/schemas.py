"""Shapes of exports."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.insights.moments import Moment
from api.insights.schemas import EventName

ExportFormat = Literal["csv", "ndjson", "parquet"]


class NewExport(BaseModel):
    """What is to be in a file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Annotated[
        Literal["events", "persons"],
        Field(description="Modelled events of a range, or all persons.", examples=["events"]),
    ]
    format: Annotated[ExportFormat, Field(description="CSV and NDJSON are packed with gzip.")] = "csv"
    from_: Annotated[
        Moment | None,
        Field(
            alias="from",
            description="Of events: first instant or day in the project's zone, included.",
            examples=["2026-03-01"],
        ),
    ] = None
    to: Annotated[Moment | None, Field(description="Last instant or day, not included.", examples=["2026-04-01"])] = (
        None
    )
    event: Annotated[EventName | None, Field(description="Events of this name alone; left out: all.")] = None


class ExportShown(BaseModel):
    """An export and how far it is."""

    id: int
    kind: Literal["events", "persons"]
    format: ExportFormat
    range_start: datetime | None
    range_end: datetime | None
    event: str | None
    state: Annotated[
        Literal["waiting", "running", "done", "failed", "cancelled", "expired", "deleted"],
        Field(description="`cancelled` before it was done, `expired` with its time, `deleted` by somebody before it."),
    ]
    rows_total: Annotated[int | None, Field(description="How many there were when it began; null before.")]
    rows_written: int
    size_bytes: Annotated[int | None, Field(description="Size of the file.")]
    error: Annotated[str | None, Field(description="Why it failed.")]
    created_at: datetime
    finished_at: datetime | None
    expires_at: Annotated[datetime | None, Field(description="When the file is removed, unless it is deleted before.")]
    actor_name: Annotated[str, Field(description="Who asked for it.")]
    link: Annotated[
        str | None,
        Field(description="Where whoever has it fetches the file without signing in, for an hour; null unless done."),
    ]


class ExportList(BaseModel):
    """The project's exports, the newest first."""

    exports: list[ExportShown]
