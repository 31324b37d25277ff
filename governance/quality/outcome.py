"""What an expectation is to its readers, and how it turned out."""

from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["warning", "error"]


@dataclass(frozen=True, slots=True)
class Rule:
    """An expectation's name, sentence and weight.

    `error` stands for what the collector guarantees: a breach is a fault of ours. `warning` stands for what a client,
    a quiet night or an outage can cause.
    """

    name: str
    description: str
    severity: Severity


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one expectation turned out. `facts` are counts, shares and bounds; never a value of an event."""

    rule: Rule
    passed: bool
    facts: dict[str, int | float | str] = field(default_factory=dict[str, int | float | str])
