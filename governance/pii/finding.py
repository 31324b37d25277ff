"""What goes into the recognisers and what comes out of them."""

from dataclasses import dataclass
from typing import Literal

Method = Literal["pattern", "model", "name"]


@dataclass(frozen=True, slots=True)
class Sample:
    """Some distinct values of one property of one event in one project."""

    project_id: int
    event: str
    property: str
    """Column and JSON path, as `properties.address.city`."""
    values: tuple[str, ...]
    values_seen: int
    """Distinct values in the scanned window, approximately."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of personal data in one property of one event. Carries no value of the data itself."""

    project_id: int
    event: str
    property: str
    entity: str
    method: Method
    score: float
    values_seen: int
    values_checked: int
    values_matched: int
