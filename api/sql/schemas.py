"""Shapes of a statement and its answer."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Scalar = str | int | float | bool | None
Value = Scalar | list[Scalar]

EXAMPLE: dict[str, Any] = {
    "sql": "select country, uniqExact(person_number) as persons\n"
    "from fct_events\nwhere event = {event:String}\ngroup by country\norder by persons desc",
    "parameters": {"event": "purchase"},
}


class SqlQuery(BaseModel):
    """One select over the project's marts, with values for what it leaves open."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"examples": [EXAMPLE]})

    sql: Annotated[
        str, Field(min_length=1, max_length=20_000, description="One select of ClickHouse's SQL; see docs/sql.md.")
    ]
    parameters: Annotated[
        dict[str, Value],
        Field(max_length=100, description="Values by name, for each `{name:Type}` in the statement."),
    ] = {}
    limit: Annotated[
        int, Field(ge=1, le=1_000_000, description="Most rows to return; `meta.truncated` says that there are more.")
    ] = 1_000


class SqlColumn(BaseModel):
    """A column of a table."""

    name: str
    type: Annotated[str, Field(description="ClickHouse's type.")]
    description: Annotated[str, Field(description="What it holds; empty where nothing is written down.")]


class SqlTable(BaseModel):
    """A table that statements may read. Only the project's rows of it are there."""

    name: str
    description: str
    columns: list[SqlColumn]


class SqlTables(BaseModel):
    """The tables, by name."""

    data: list[SqlTable]


class SqlResultColumn(BaseModel):
    """A column of an answer."""

    name: str
    type: Annotated[str, Field(description="ClickHouse's type.")]


class SqlData(BaseModel):
    """The rows, each as a list of values in the order of the columns."""

    columns: list[SqlResultColumn]
    rows: Annotated[
        list[list[Any]],
        Field(
            description="Instants are text in UTC; dates, decimals, UUIDs and whole numbers beyond ±2^53 are text; "
            "what is no number (nan, inf) is null."
        ),
    ]


class SqlMeta(BaseModel):
    """Where the rows come from."""

    sources: Annotated[list[str], Field(description="Tables that were read.")]
    sql: Annotated[str, Field(description="The statement as it was run: written anew, each table cut to the project.")]
    parameters: Annotated[dict[str, Value], Field(description="The values that were bound to it.")]
    computed_at: Annotated[datetime, Field(description="When ClickHouse computed it, UTC.")]
    fresh_until: Annotated[
        datetime | None,
        Field(description="When the newest of the project's modelled events was received; null without any."),
    ]
    data_version: Annotated[str, Field(description="Changes whenever a modelled table does.")]
    elapsed_ms: float
    cached: Annotated[bool, Field(description="Whether it was given before, a moment ago.")]
    read_rows: Annotated[int, Field(description="Rows that ClickHouse read.")]
    read_bytes: Annotated[int, Field(description="Bytes that ClickHouse read.")]
    truncated: Annotated[bool, Field(description="Whether there are more rows than `limit`.")]
    plan: Annotated[
        list[str] | None,
        Field(description="How ClickHouse would run the statement now, line by line; null unless it is asked for."),
    ] = None


class SqlAnswer(BaseModel):
    """Rows and where they come from."""

    data: SqlData
    meta: SqlMeta
