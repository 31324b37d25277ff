"""Which of a project's rules hold for a member of an event, found while walking down to it.

A path is matched name by name: the rules become one automaton whose states are made when an event first leads there, so
that a known name costs one look-up whatever the number of rules.
"""

from collections.abc import Sequence
from itertools import takewhile

import re2

from core.metadata.collection_rules import Action, PropertyRule, expression

ITEM = "[]"
"""What stands in a path for an item of a list."""
_ANY_NAMES = "**"
# Names may be data, made by any client: only short ones are remembered, and not without end.
_MAX_REMEMBERED_BYTES = 100
_MAX_REMEMBERED = 2_000


class Rule:
    """A rule with its expressions made ready."""

    def __init__(self, rule: PropertyRule) -> None:
        self.action: Action = rule.action
        self.value = expression(rule.value) if rule.value else None
        names = [name for part in rule.path.split(".") for name in _split(part)]
        if names[-1] == _ANY_NAMES:
            names[-1:] = ["*", _ANY_NAMES]  # at least one
        self.names = tuple(names)
        self._globs = {name: re2.compile(re2.escape(name).replace(r"\*", ".*")) for name in names if "*" in name}

    def step(self, positions: frozenset[int], name: str) -> frozenset[int]:
        """Return where in its path the rule may be after one more name; the end is kept once it is reached."""
        after: set[int] = set()
        for position in positions:
            if position == len(self.names) or self.names[position] == _ANY_NAMES:
                after.add(position)
            elif self._fits(self.names[position], name):
                after.add(position + 1)
        return self.closed(after)

    def closed(self, positions: set[int]) -> frozenset[int]:
        """Add the positions that are reached without a name: `**` stands for none too."""
        for position in sorted(positions):
            at = position
            while at < len(self.names) and self.names[at] == _ANY_NAMES:
                at += 1
                positions.add(at)
        return frozenset(positions)

    def _fits(self, pattern: str, name: str) -> bool:
        if pattern == name:
            return True
        glob = self._globs.get(pattern)
        return glob is not None and name != ITEM and glob.fullmatch(name) is not None


class State:
    """A place in an event: the rules that hold there, and the way to the members below."""

    __slots__ = ("_below", "_known", "_positions", "_rules", "is_dead", "matched")

    def __init__(
        self,
        rules: Sequence[Rule],
        positions: tuple[frozenset[int], ...],
        known: "dict[tuple[frozenset[int], ...], State]",
    ) -> None:
        self._rules = rules
        self._positions = positions
        self._known = known
        self._below: dict[str, State] = {}
        self.matched = [rule for rule, at in zip(rules, positions, strict=True) if len(rule.names) in at]
        """The rules that match this member or one that it lies within, in their order."""
        self.is_dead = not any(positions)
        """Whether no rule holds here or anywhere below."""

    @classmethod
    def start(cls, rules: Sequence[Rule]) -> "State":
        """Return the state above the members of an event."""
        return cls(rules, tuple(rule.closed({0}) for rule in rules), {})

    def may_keep_below(self, decided: Rule) -> bool:
        """Say whether a rule that comes before `decided` may keep something within this member."""
        before = zip(self._rules, self._positions, strict=True)
        return any(
            rule.action is Action.KEEP and at for rule, at in takewhile(lambda pair: pair[0] is not decided, before)
        )

    def below(self, name: str) -> "State":
        """Return the state of the member of this name."""
        state = self._below.get(name)
        if state is None:
            positions = tuple(rule.step(at, name) for rule, at in zip(self._rules, self._positions, strict=True))
            state = self._known.get(positions) or State(self._rules, positions, self._known)
            if len(self._known) < _MAX_REMEMBERED:
                self._known[positions] = state
            if len(name) <= _MAX_REMEMBERED_BYTES and len(self._below) < _MAX_REMEMBERED:
                self._below[name] = state
        return state


def _split(part: str) -> list[str]:
    """Split the lists off a name: `users[][]` is `users`, `[]`, `[]`."""
    name, *items = part.split(ITEM)
    return ([name] if name else []) + [ITEM] * len(items)
