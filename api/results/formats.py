"""The formats in which answers are given."""

from typing import Annotated, Literal

from pydantic import Field

Format = Literal["json", "csv", "xlsx", "parquet", "arrow"]
WantedFormat = Annotated[
    Format | None,
    Field(description="What to answer with; left out: the file that `Accept` names first, else JSON."),
]
Explain = Annotated[bool, Field(description="Also return ClickHouse's plan of the statement; the answer is JSON.")]
