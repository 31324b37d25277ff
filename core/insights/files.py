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
from core.insights.faults import faults_in, places_of
from core.insights.filters import cohorts_in
from core.insights.lists import LISTS, faults_in_list, list_files
from core.validation import Place

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
    read: dict[str, _Read] = {}
    problems: list[Problem] = []
    for file in definition_files(directory):
        try:
            found = _read(file)
        except InvalidDefinitionsError as error:
            problems += error.problems
            continue
        name = found.insight.name
        if name in read:
            problems.append(Problem(shown(file), 1, "", f"{read[name].insight.file.name} has that name too"))
        else:
            read[name] = found
    lists, wrong_lists = _lists_beside(directory)
    problems += wrong_lists
    sound = _sound(read, lists)
    for name in sorted(read.keys() - sound):
        problems += _problems_of_references(read[name], read, sound, lists)
    return [read[name].insight for name in read if name in sound], problems


def definition_files(directory: Path) -> list[Path]:
    """Return the files of a directory that hold definitions, by name; those of editors are hidden."""
    return sorted(
        file for file in directory.glob("*.y*ml") if file.suffix in _SUFFIXES and not file.name.startswith(".")
    )


def _lists_beside(directory: Path) -> tuple[set[str], list[Problem]]:
    faults = {file: faults_in_list(file) for file in list_files(directory.parent)}
    sound = {file.stem for file, found in faults.items() if not found}
    return sound, [
        Problem(shown(file), fault.line, fault.column, fault.message)
        for file, found in faults.items()
        for fault in found
    ]


@dataclass(frozen=True, slots=True)
class _Read:
    """A definition, with the file's text as Python has it and as the nodes that know their lines."""

    insight: DefinedInsight
    document: Any
    node: yaml.Node | None


def _sound(read: Mapping[str, _Read], lists: set[str]) -> set[str]:
    """Return the definitions of which all that they name is there: dbt would build nothing at all otherwise."""
    sound = {
        name
        for name, each in read.items()
        if lists_in(each.insight.definition) <= lists and name not in _members_of(name, read)
    }
    # Each that goes may leave others without a cohort of theirs.
    while wrong := {name for name in sound if not cohorts_in(read[name].insight.definition) <= sound}:
        sound -= wrong
    return sound


def _members_of(name: str, read: Mapping[str, _Read]) -> set[str]:
    """Return the cohorts that a definition is made of, however far away."""
    found: set[str] = set()
    waiting = {name}
    while waiting:
        each = read.get(waiting.pop())
        further = cohorts_in(each.insight.definition) - found if each else set[str]()
        found |= further
        waiting |= further
    return found


def _problems_of_references(
    of: _Read, read: Mapping[str, _Read], sound: set[str], lists: set[str]
) -> Iterator[Problem]:
    """Yield a problem for each place that names a list or a cohort which is not there, or is made of this one."""
    name, definition = of.insight.name, of.insight.definition
    wrong = [
        ("listed", each, f"there is no list {each} in {LISTS}, or it cannot be read")
        for each in lists_in(definition) - lists
    ]
    for each in cohorts_in(definition) - sound:
        is_ring = each == name or name in _members_of(each, read)
        message = f"{name} would be made of itself" if is_ring else f"there is no {each}, or it cannot be read"
        wrong.append(("cohort", each, message))
    for key, named, message in sorted(wrong):
        for place in places_of(of.document, key, named):
            yield _problem(of.insight.file, place, message, of.node)


def _read(file: Path) -> _Read:
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
        faults = faults_in(error, document)
        raise InvalidDefinitionsError([_problem(file, each.place, each.message, node) for each in faults]) from error
    prefix = _PREFIXES.get(definition.kind, definition.kind)
    if not file.stem.startswith(f"{prefix}_"):
        message = f"the mart of a {definition.kind} has a name that begins with {prefix}_, and so has its file"
        raise InvalidDefinitionsError([_problem(file, ("kind",), message, node)])
    return _Read(DefinedInsight(file.stem, file, definition), document, node)


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


def _problem(file: Path, place: Place, message: str, root: yaml.Node | None) -> Problem:
    return Problem(shown(file), _line(place, root), ".".join(map(str, place)), message)


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
