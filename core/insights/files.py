"""Reads the definitions of a directory, and says of what is wrong in which file, line and key it stands."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import yaml
from pydantic import TypeAdapter, ValidationError

from core.errors import RadixError
from core.insights.cohorts import lists_in
from core.insights.definitions import Definition
from core.insights.faults import faults_in
from core.insights.filters import cohorts_in
from core.insights.lists import LISTS, fault_in, list_files

_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
_SUFFIXES = {".yml", ".yaml"}
_LONGEST = 100_000
_DEEPEST = 30
_MOST_NODES = 5_000
_DEFINITIONS: TypeAdapter[Any] = TypeAdapter(Definition)
_PREFIXES = {"rollup": "agg"}
"""What the names of marts begin with, where that is not the kind."""


@dataclass(frozen=True, slots=True)
class DefinedInsight:
    """A definition; its name is that of its file and of its mart: `funnel_checkout`, `agg_plans_daily`."""

    name: str
    file: Path
    definition: Definition

    @property
    def version(self) -> str:
        """Return what tells this definition from what the file said before; its mart's comment ends with it."""
        # Without defaults: a key that a later version knows changes no definition that does without it.
        text = self.definition.model_dump_json(exclude_defaults=True)
        return f"definition {hashlib.sha256(text.encode()).hexdigest()[:12]}"


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


def scan_definitions(directory: Path) -> tuple[list[DefinedInsight], list[Problem]]:
    """Return the definitions of a directory that can be read, by name, and what is wrong with the others.

    What is wrong with the lists of the dbt project that the directory is in is wrong too.
    """
    found: dict[str, DefinedInsight] = {}
    problems: list[Problem] = []
    for file in definition_files(directory):
        try:
            insight = _read(file)
        except InvalidDefinitionsError as error:
            problems += error.problems
            continue
        if insight.name in found:
            problems.append(Problem(shown(file), 1, "", f"{found[insight.name].file.name} has that name too"))
        else:
            found[insight.name] = insight
    lists, wrong_lists = _lists_beside(directory)
    problems += wrong_lists
    # Each that goes may leave others without a cohort of theirs.
    while wrong := {
        name: missing
        for name, insight in found.items()
        if (missing := _misses_list(insight, lists) or _misses_cohort(insight, found)) is not None
    }:
        problems += [_problem_with(found[name].file, *what) for name, what in wrong.items()]
        found = {name: insight for name, insight in found.items() if name not in wrong}
    return list(found.values()), problems


def definition_files(directory: Path) -> list[Path]:
    """Return the files of a directory that hold definitions, by name; those of editors are hidden."""
    return sorted(
        file for file in directory.glob("*.y*ml") if file.suffix in _SUFFIXES and not file.name.startswith(".")
    )


def _lists_beside(directory: Path) -> tuple[set[str], list[Problem]]:
    faults = {file: fault_in(file) for file in list_files(directory.parent)}
    sound = {file.stem for file, fault in faults.items() if fault is None}
    return sound, [Problem(shown(file), fault[0], "", fault[1]) for file, fault in faults.items() if fault is not None]


def _problem_with(file: Path, name: str, message: str) -> Problem:
    """Return the problem with a cohort or list, at the line that names it; the first one where only others do."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = re.compile(rf"\b(cohort|listed)\W+{re.escape(name)}\b")
    return Problem(
        shown(file), next((place for place, line in enumerate(lines, 1) if names.search(line)), 1), "", message
    )


def _misses_list(insight: DefinedInsight, lists: set[str]) -> tuple[str, str] | None:
    """Say which list a definition names that is not there: dbt would build nothing at all."""
    missing = min(lists_in(insight.definition) - lists, default=None)
    return None if missing is None else (missing, f"there is no list {missing} in {LISTS}, or it cannot be read")


def _misses_cohort(insight: DefinedInsight, found: Mapping[str, DefinedInsight]) -> tuple[str, str] | None:
    """Say which cohort a definition names that is not there, or that itself is made of it."""
    seen: set[str] = set()
    waiting = cohorts_in(insight.definition)
    while waiting:
        name = waiting.pop()
        if name not in found:
            return name, f"there is no {name}, or it cannot be read"
        if name == insight.name:
            return name, f"{name} would be made of itself"
        if name not in seen:
            seen.add(name)
            waiting |= cohorts_in(found[name].definition)
    return None


def _read(file: Path) -> DefinedInsight:
    name = shown(file)
    if not _NAME.fullmatch(file.stem):
        message = "the file's name is the mart's: at most 60 lower-case letters, digits, underscores, a letter first"
        raise InvalidDefinitionsError([Problem(name, 1, "", message)])
    try:
        text = file.read_text(encoding="utf-8-sig")
        if len(text) > _LONGEST:
            raise InvalidDefinitionsError([Problem(name, 1, "", f"it has more than {_LONGEST:,} characters")])
        node = yaml.compose(text, Loader=_Loader)
        document = _Reader(name).value(node) if node else None
    except OSError as error:
        raise InvalidDefinitionsError([Problem(name, 1, "", f"it cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise InvalidDefinitionsError([Problem(name, 1, "", f"it is no UTF-8: {error.reason}")]) from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InvalidDefinitionsError([Problem(name, line, "", f"it is no YAML: {error.problem}")]) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InvalidDefinitionsError([Problem(name, 1, "", f"it is no YAML: {error or 'too deep'}")]) from error
    try:
        definition = _DEFINITIONS.validate_python(document)
    except ValidationError as error:
        raise InvalidDefinitionsError(list(_problems(error, document, node, name))) from error
    prefix = _PREFIXES.get(definition.kind, definition.kind)
    if not file.stem.startswith(f"{prefix}_"):
        message = f"the mart of a {definition.kind} has a name that begins with {prefix}_, and so has its file"
        raise InvalidDefinitionsError([Problem(name, _line(["kind"], node), "kind", message)])
    return DefinedInsight(file.stem, file, definition)


class _Loader(yaml.SafeLoader):
    """Reads what YAML 1.2 calls numbers and booleans; NO is Norway, 12:30 and 2025-01-01 are text."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("null", r"null|~|", ["n", "~", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]{1,300}", list("-+0123456789")),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", list("-+.0123456789")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})$"), _first)


class _Reader:
    """Makes Python of a file's nodes; refuses what it says twice, what contains itself, and too much of anything."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._nodes = 0

    def value(self, node: yaml.Node, key: str = "", depth: int = 0) -> Any:
        """Return a node as Python has it; raises `InvalidDefinitionsError`."""
        self._nodes += 1
        if depth > _DEEPEST or self._nodes > _MOST_NODES:
            raise self._error(
                node, key, f"it is nested deeper than {_DEEPEST} levels, or has over {_MOST_NODES:,} values"
            )
        if isinstance(node, yaml.ScalarNode) and not _is_text(node.value):
            raise self._error(node, key, "it holds half of a character (a lone surrogate)")
        if isinstance(node, yaml.MappingNode):
            found: dict[str, Any] = {}
            for name_node, value_node in node.value:
                name = str(self.value(name_node, key, depth + 1))
                if name in found:
                    raise self._error(name_node, _join(key, name), "the key stands there twice")
                found[name] = self.value(value_node, _join(key, name), depth + 1)
            return found
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, _join(key, str(place)), depth + 1) for place, item in enumerate(node.value)]
        if node.tag == "tag:yaml.org,2002:int":
            return int(node.value)
        if node.tag == "tag:yaml.org,2002:float":
            return float(node.value)
        return {"null": None, "bool": node.value.lower() == "true"}.get(node.tag.rpartition(":")[2], node.value)

    def _error(self, node: yaml.Node, key: str, message: str) -> InvalidDefinitionsError:
        return InvalidDefinitionsError([Problem(self._file, node.start_mark.line + 1, key, message)])


def _problems(error: ValidationError, document: Any, root: yaml.Node | None, file: str) -> Iterator[Problem]:
    for fault in faults_in(error, document):
        yield Problem(file, _line(fault.place, root), ".".join(map(str, fault.place)), fault.message)


def _line(place: Iterable[int | str], root: yaml.Node | None) -> int:
    """Return the line of a place: of the last of its keys that the file has."""
    node, line = root, root.start_mark.line + 1 if root else 1
    for part in place:
        if isinstance(node, yaml.MappingNode):
            pair = next((pair for pair in node.value if pair[0].value == part), None)
            if pair is not None:
                node, line = pair[1], pair[0].start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
    return line


def shown(file: Path) -> str:
    """Return how a file is named to people: `insights/funnel_checkout.yml`."""
    return f"{file.parent.name}/{file.name}"


def _is_text(value: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name
