"""Reads the definitions of a directory, and says of what is wrong in which file, line and key it stands."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import yaml
from pydantic import TypeAdapter, ValidationError

from core.errors import RadixError
from core.insights.definitions import Definition

_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
_DEPTH = 30
_DEFINITIONS: TypeAdapter[Any] = TypeAdapter(Definition)
_KIND = "kind has to be one of funnel, retention, trend, rollup"
_PREFIXES = {"rollup": "agg"}
"""What the names of marts begin with, where that is not the kind."""


@dataclass(frozen=True, slots=True)
class DefinedInsight:
    """A definition; its name is that of its file and of its mart: `funnel_checkout`, `agg_plans_daily`."""

    name: str
    file: Path
    definition: Definition


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at one place; `line` counts from 1, `key` is the way to it, such as `steps.0.event`."""

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in (f"{self.file}:{self.line}", self.key, self.message) if part)


class InvalidDefinitionsError(RadixError):
    """One definition or more cannot be read; `problems` names each place."""

    code: ClassVar[str] = "invalid_insight_definitions"
    title: ClassVar[str] = "The definitions of insights cannot be read"

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


def read_definitions(directory: Path) -> list[DefinedInsight]:
    """Read every `*.yml` of a directory, by name. Raises `InvalidDefinitionsError` with all that is wrong."""
    found, problems = scan_definitions(directory)
    if problems:
        raise InvalidDefinitionsError(problems)
    return found


def scan_definitions(directory: Path) -> tuple[list[DefinedInsight], list[Problem]]:
    """Return the definitions of a directory that can be read, by name, and what is wrong with the others."""
    found: list[DefinedInsight] = []
    problems: list[Problem] = []
    for file in sorted((*directory.glob("*.yml"), *directory.glob("*.yaml"))):
        try:
            found.append(_read(file))
        except InvalidDefinitionsError as error:
            problems += error.problems
    return found, [*problems, *_doubled(found)]


def _read(file: Path) -> DefinedInsight:
    name = f"{file.parent.name}/{file.name}"
    if not _NAME.fullmatch(file.stem):
        message = "the file's name is the mart's: at most 60 lower-case letters, digits, underscores, a letter first"
        raise InvalidDefinitionsError([Problem(name, 1, "", message)])
    try:
        node = yaml.compose(file.read_text(encoding="utf-8"), Loader=_Loader)
        document = _value(node, name, "", 0) if node else None
    except UnicodeDecodeError as error:
        raise InvalidDefinitionsError([Problem(name, 1, "", f"it is no UTF-8: {error.reason}")]) from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InvalidDefinitionsError([Problem(name, line, "", f"it is no YAML: {error.problem}")]) from error
    try:
        definition = _DEFINITIONS.validate_python(document)
    except ValidationError as error:
        raise InvalidDefinitionsError(list(_problems(error, node, name))) from error
    prefix = _PREFIXES.get(definition.kind, definition.kind)
    if not file.stem.startswith(f"{prefix}_"):
        message = f"the mart of a {definition.kind} has a name that begins with {prefix}_, and so has its file"
        raise InvalidDefinitionsError([Problem(name, _place(["kind"], node)[1], "kind", message)])
    return DefinedInsight(file.stem, file, definition)


class _Loader(yaml.SafeLoader):
    """Reads dates as text: a definition compares them with what events say."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _value(node: yaml.Node, file: str, key: str, depth: int) -> Any:
    """Return a node as Python has it; refuses what it says twice, and what contains itself."""
    line = node.start_mark.line + 1
    if depth > _DEPTH:
        raise InvalidDefinitionsError([Problem(file, line, key, f"it is nested deeper than {_DEPTH} levels")])
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Any] = {}
        for name_node, value_node in node.value:
            name = str(name_node.value)
            if name in found:
                message = "the key stands there twice"
                raise InvalidDefinitionsError([Problem(file, name_node.start_mark.line + 1, _join(key, name), message)])
            found[name] = _value(value_node, file, _join(key, name), depth + 1)
        return found
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, file, _join(key, str(place)), depth + 1) for place, item in enumerate(node.value)]
    return _Loader("").construct_object(node)  # type: ignore[no-untyped-call]


def _problems(error: ValidationError, root: yaml.Node | None, file: str) -> Iterator[Problem]:
    found: dict[str, tuple[int, str]] = {}
    short: dict[str, tuple[int, str]] = {}
    for each in error.errors(include_url=False, include_input=False):
        key, line = _place(each["loc"], root, is_missing=each["type"] == "missing")
        # Where several shapes are possible, each of them says what it misses: the first is enough.
        into = short if each["type"] == "too_short" else found
        into.setdefault(key, (line, _sentence(each)))
    # What is wrong is left out by pydantic, and then there are too few of it.
    found |= {key: what for key, what in short.items() if not any(other.startswith(f"{key}.") for other in found)}
    for key, (line, message) in found.items():
        yield Problem(file, line, key, message)


def _place(location: Iterable[int | str], root: yaml.Node | None, *, is_missing: bool = False) -> tuple[str, int]:
    """Follow pydantic's way into the file; it names the shapes between the keys too, which the file does not have."""
    node, key, line = root, "", root.start_mark.line + 1 if root else 1
    parts = list(location)
    for part in parts:
        if isinstance(node, yaml.MappingNode):
            pair = next((pair for pair in node.value if pair[0].value == part), None)
            if pair is not None:
                node, key, line = pair[1], _join(key, str(part)), pair[0].start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node, key = node.value[part], _join(key, str(part))
            line = node.start_mark.line + 1
    return (_join(key, str(parts[-1])) if is_missing else key), line


def _sentence(error: Mapping[str, Any]) -> str:
    known = {
        "extra_forbidden": "there is no such key here",
        "missing": "it has to be there",
        "union_tag_not_found": _KIND,
        "union_tag_invalid": _KIND,
        "model_attributes_type": "a definition is a mapping: kind, description and what the kind wants",
        "too_short": f"there have to be at least {error.get('ctx', {}).get('min_length')}",
    }
    text = known.get(str(error["type"])) or str(error["msg"]).removeprefix("Value error, ")
    return text[:1].lower() + text[1:]


def _doubled(found: list[DefinedInsight]) -> Iterator[Problem]:
    first: dict[str, DefinedInsight] = {}
    for insight in found:
        other = first.setdefault(insight.name, insight)
        if other is not insight:
            name = f"{insight.file.parent.name}/{insight.file.name}"
            yield Problem(name, 1, "", f"{other.file.name} has that name too")


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name
