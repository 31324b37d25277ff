"""The formats in which answers are given."""

from typing import Annotated, Literal

from pydantic import Field

Format = Literal["json", "csv", "xlsx", "parquet", "arrow"]
WantedFormat = Annotated[
    Format | None,
    Field(description="What to answer with; left out: the file that `Accept` names first, else JSON."),
]
