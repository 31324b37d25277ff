"""Funnels as the tests ask them: one question for the reference and for the engine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from engine.event_table import EventTable, milliseconds
from engine.renderings import Bind, ask
from reference.events import Counted
from reference.funnel import Condition, Exclusion, Funnel, counted_attempts
from reference.funnel_figures import top_values

START = datetime(2024, 3, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LATER = START + timedelta(days=400)

# `ab` fits two steps.
MATCHING = {"a": ["a", "ab"], "b": ["ab", "b"], "c": ["c"], "x": ["x"], "any": ["a", "ab", "b", "c", "x"]}


@dataclass(frozen=True, kw_only=True)
class Question:
    """A funnel over events by name; times in minutes from START."""

    steps: Sequence[str]
    start: int = 0
    end: int = 60
    window: float = 10
    order: str = "ordered"
    attempts: str = "best"
    grace: float = 0
    exclusions: Sequence[Mapping[str, Any]] = ()
    """Each: condition (a name of MATCHING), from_step, to_step, effect."""
    held: Sequence[str] = ()
    breakdown: str | None = None
    attribution: str | int = "first"
    top: int | None = None
    now: datetime = LATER
    hide_incomplete: bool = False

    @property
    def reference(self) -> Funnel:
        """The question to the reference."""
        end = START + self.end * MINUTE
        if self.hide_incomplete:
            end = min(end, self.now - self.window * MINUTE)
        breakdown = self.breakdown
        return Funnel(
            steps=[fits(name) for name in self.steps],
            start=START + self.start * MINUTE,
            end=end,
            window=self.window * MINUTE,
            order=self.order,
            attempts=self.attempts,
            grace=self.grace * MINUTE,
            exclusions=[
                Exclusion(fits(each["condition"]), each["from_step"], each["to_step"], each["effect"])
                for each in self.exclusions
            ],
            held=[lambda event, name=name: str(event.properties.get(name, "")) for name in self.held],
            breakdown=None if breakdown is None else lambda event: str(event.properties.get(breakdown, "")),
            attribution=self.attribution,
        )

    def arguments(self, table: EventTable, project: int, bind: Bind, **others: Any) -> dict[str, Any]:
        """Return the question to a macro."""

        def named(name: str) -> str:
            return f"has({bind(MATCHING[name], 'Array(String)')}, event)"

        def instant(at: datetime) -> str:
            return f"fromUnixTimestamp64Milli({bind(milliseconds(at), 'Int64')}, 'UTC')"

        def property_named(name: str) -> str:
            return f"JSONExtractString(properties, {bind(name, 'String')})"

        arguments: dict[str, Any] = {
            "relation": table.name,
            "project": bind(project, "UInt32"),
            "actor": "person_id",
            "steps": [named(name) for name in self.steps],
            "start": instant(START + self.start * MINUTE),
            "end": instant(START + self.end * MINUTE),
            "window_ms": bind(int(self.window * 60_000), "Int64"),
            "order": self.order,
            "attempts": self.attempts,
            "exclusions": [dict(each) | {"condition": named(each["condition"])} for each in self.exclusions],
            "hold_constant": [property_named(name) for name in self.held],
            "now": instant(self.now),
            "hide_incomplete": self.hide_incomplete,
            "disjoint": sum(len(MATCHING[name]) for name in self.steps)
            == len({event for name in self.steps for event in MATCHING[name]}),
        }
        if self.grace:
            arguments["tie_grace_ms"] = bind(int(self.grace * 60_000), "Int64")
        if self.breakdown is not None:
            arguments |= {"breakdown": property_named(self.breakdown), "attribution": self.attribution}
        if self.top is not None:
            arguments["top"] = bind(self.top, "UInt32")
        return arguments | others


def rows(table: EventTable, macro: str, history: Sequence[Counted], question: Question, **others: Any) -> list[Any]:
    """Put a history into a project of its own and return a macro's rows; values of `others` are not bound."""
    project = table.put(history)
    return ask(table.client, macro, lambda bind: question.arguments(table, project, bind, **others))


def fits(name: str) -> Condition:
    """Return the condition that goes by a name."""
    return lambda event: event.event in MATCHING[name]


def history(*events: tuple[Any, ...], person: str = "ann") -> list[Counted]:
    """Return one person's events, given as (name, minute[, properties[, type]]), sent in this order."""
    return [
        Counted(
            message_id=f"{person}{number:02}",
            event=name,
            person=person,
            timestamp=START + minute * MINUTE,
            received_at=START,
            sequence=number,
            properties=rest[0] if rest else {},
            type=rest[1] if len(rest) > 1 else "track",
        )
        for number, (name, minute, *rest) in enumerate(events)
    ]


def assert_attempts(table: EventTable, history: Sequence[Counted], question: Question) -> None:
    """Compare the attempts by which persons count with those of the reference."""
    asked = rows(table, "insights_funnel_actors", history, question, step=1)
    attempts = counted_attempts(history, question.reference)
    if question.breakdown is None:
        wanted = {(person, "", ""): attempt for (person, _), attempt in attempts.items()}
    else:
        wanted = dict(top_values(attempts, len(attempts) if question.top is None else question.top))
    got = {(row["actor"], row.get("breakdown", ""), row.get("breakdown_kind", "")): row["steps_ms"] for row in asked}
    assert len(got) == len(asked)
    assert got == {key: [milliseconds(at) for at in attempt] for key, attempt in wanted.items()}


def cells_of(history: Sequence[Counted], question: Question) -> dict[tuple[str, str], list[Sequence[datetime]]]:
    """Return the attempts by shown value and kind, in the order in which values are shown."""
    attempts = counted_attempts(history, question.reference)
    if question.breakdown is None:
        return {("", ""): list(attempts.values())}
    cells: dict[tuple[str, str], list[Sequence[datetime]]] = {}
    for (_, value, kind), attempt in top_values(attempts, question.top or len(attempts)).items():
        cells.setdefault((value, kind), []).append(attempt)
    return dict(sorted(cells.items(), key=lambda cell: (cell[0][1] == "other", -len(cell[1]), cell[0][1], cell[0][0])))


def cell(row: Mapping[str, Any]) -> tuple[str, str]:
    """Return the shown value and its kind of a row."""
    return row.get("breakdown", ""), row.get("breakdown_kind", "")
