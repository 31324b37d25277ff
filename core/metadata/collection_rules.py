"""What a project wants done to its events before they touch the collector's disk.

The functions take a blocking `Session` and do not commit, like those of `core.metadata.projects`.
"""

from enum import StrEnum
from typing import Any, ClassVar

import msgspec
import re2
from msgspec import Struct
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import RadixError
from core.metadata.models import Project

_ROOTS = frozenset({"properties", "traits", "context"})
ID_NAMES = frozenset({"userId", "anonymousId", "previousId", "groupId"})


class InvalidRulesError(RadixError):
    """The rules make no sense."""

    status: ClassVar[int] = 422
    code: ClassVar[str] = "invalid_collection_rules"
    title: ClassVar[str] = "The collection rules are not valid"


class Addresses(StrEnum):
    """What is kept of the addresses that events come from."""

    KEEP = "keep"
    TRUNCATE = "truncate"
    """The network only: the first 24 bits of IPv4, the first 48 of IPv6."""
    DROP = "drop"


class Bots(StrEnum):
    """What becomes of events whose user agent is a bot's."""

    FLAG = "flag"
    """They are kept; `is_bot` tells them apart."""
    REJECT = "reject"


class Schemas(StrEnum):
    """What becomes of events that do not fit the schema of their name."""

    OFF = "off"
    WARN = "warn"
    """They are kept, and the deviation is reported."""
    ENFORCE = "enforce"
    """They are rejected."""


class Action(StrEnum):
    """What a rule does to the members that it matches."""

    KEEP = "keep"
    DROP = "drop"
    MASK = "mask"
    """`***` stands in its place."""
    HASH = "hash"
    """HMAC-SHA-256 under the project's secret: equal values stay equal, and nobody can read them."""


class PropertyRule(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One rule. The first that matches a member decides; one with a `value` lets the following ones look too."""

    path: str
    """Which members: `properties.card.number`, `traits.*`, `**.email`. Items of lists are `[]`; `*` stands for one
    name, `**` for any number of them."""
    action: Action
    value: str = ""
    """Regular expression (RE2): of a member's text only what matches is masked or hashed; `drop` drops the member."""


class CollectionRules(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The rules of one project, as they stand in `projects.collection_rules`."""

    addresses: Addresses = Addresses.TRUNCATE
    bots: Bots = Bots.FLAG
    schemas: Schemas = Schemas.OFF
    events_per_second: int | None = None
    """Most events a second of each write key that has no rate of its own; None: the collector's setting."""
    properties: list[PropertyRule] = []


def parse_rules(document: bytes) -> CollectionRules:
    """Return the rules that a JSON document says; raise `InvalidRulesError`, which names the place in it."""
    try:
        rules = msgspec.json.decode(document, type=CollectionRules)
    except msgspec.MsgspecError as error:
        raise InvalidRulesError(f"The JSON document cannot be read as rules: {error}.") from error
    if rules.events_per_second is not None and rules.events_per_second < 1:
        raise InvalidRulesError(f"events_per_second is {rules.events_per_second}; it must be 1 or more.")
    for index, rule in enumerate(rules.properties):
        _check(rule, f"$.properties[{index}]")
    return rules


def read_rules(session: Session, project_id: int) -> CollectionRules | None:
    """Return a project's rules, None when there is no such project."""
    stored = session.scalar(select(Project.collection_rules).where(Project.id == project_id))
    return None if stored is None else msgspec.convert(stored, CollectionRules)


def set_rules(session: Session, project_id: int, rules: CollectionRules) -> bool:
    """Put these rules in force, at the collectors within 3 s. False when there is no such project."""
    project = session.get(Project, project_id)
    if project is None:
        return False
    project.collection_rules = msgspec.to_builtins(rules)
    session.flush()
    return True


def _check(rule: PropertyRule, where: str) -> None:
    root = rule.path.partition(".")[0]
    if root in ID_NAMES:
        if rule.path != root or rule.action is not Action.HASH or rule.value:
            raise InvalidRulesError(f"{where}: an id such as {root} can only be hashed as a whole.")
    elif root not in _ROOTS and root not in {"*", "**"}:
        known = ", ".join(sorted(_ROOTS | ID_NAMES))
        raise InvalidRulesError(f"{where}.path: {rule.path!r} must begin with one of {known}, or with ** for any.")
    if "" in rule.path.split("."):
        raise InvalidRulesError(f"{where}.path: {rule.path!r} has an empty name.")
    try:
        pattern = expression(rule.value)
    except re2.error as error:
        reason = error.args[0].decode(errors="replace")
        raise InvalidRulesError(f"{where}.value: {rule.value!r} is no regular expression of RE2: {reason}.") from error
    if rule.value and pattern.match(""):
        raise InvalidRulesError(f"{where}.value: {rule.value!r} matches nothing at all, and so every text.")


def expression(text: str) -> Any:
    """Return a regular expression, made ready; raise `re2.error` for what is none.

    RE2 takes a time that is linear in the text, whatever it is and whatever the expression: clients choose the texts.
    """
    options = re2.Options()
    options.log_errors = False
    return re2.compile(text, options)
