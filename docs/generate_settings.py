# ruff: noqa: INP001 - a program beside the page that it writes, no package
"""Writes docs/settings.md from every settings class of every service; `--check` only says whether it is up to date."""

import importlib
import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import AliasChoices, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "settings.md"
PACKAGES = ("core", "runtime", "ingestion", "api", "orchestration")

_HEAD = """\
# Settings

Every service reads its settings once, from environment variables. Generated from the settings classes by
`python docs/generate_settings.py`: change a description there, not here.

Under `radixinsight up` the addresses of the embedded engines are set for every process. An address that you set
yourself is used as it is, and the matching embedded engine is not started.
"""

_BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
_TYPE_NAMES: dict[Any, str] = {
    int: "whole number",
    float: "number",
    bool: "`true` or `false`",
    str: "text",
    Path: "path",
    SecretStr: "secret",
}


def settings_classes() -> list[type[BaseSettings]]:
    """Return every settings class of the services, shared ones first, then by package and module."""
    classes: list[type[BaseSettings]] = []
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("settings.py"), key=lambda path: (len(path.parts), path)):
            module = importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))
            members = [member for member in vars(module).values() if isinstance(member, type)]
            classes += [
                member
                for member in members
                if issubclass(member, BaseSettings) and member.__module__ == module.__name__
            ]
    return classes


def render(classes: list[type[BaseSettings]]) -> str:
    """Return the page: a section per class with one row per variable; what a class inherits stands with its base."""
    return _HEAD + "".join(_section(settings) for settings in classes)


def _section(settings: type[BaseSettings]) -> str:
    inherited = [base for base in settings.__mro__[1:] if issubclass(base, BaseSettings) and base is not BaseSettings]
    known: dict[str, FieldInfo] = {name: field for base in inherited for name, field in base.model_fields.items()}
    rows = [
        _row(settings, name, field)
        for name, field in settings.model_fields.items()
        if name not in known or repr(field) != repr(known[name])
    ]
    doc = " ".join((settings.__doc__ or "").split())
    bases = [f"[{base.__name__}](#{_anchor(base)})" for base in settings.__bases__ if base in inherited]
    also = f"\n\nAnd all of {' and '.join(bases)}." if bases else ""
    table = "| Variable | Default | Value | Meaning |\n|---|---|---|---|\n" + "\n".join(rows)
    return f"\n## {_title(settings)}\n{doc}{also}\n\n{table}\n"


def _title(settings: type[BaseSettings]) -> str:
    return f"`{settings.__module__}.{settings.__name__}`"


def _anchor(settings: type[BaseSettings]) -> str:
    # As GitHub makes it: lowercase, punctuation dropped.
    return f"{settings.__module__}.{settings.__name__}".replace(".", "").lower()


def _row(settings: type[BaseSettings], name: str, field: FieldInfo) -> str:
    variables = " or ".join(f"`{variable}`" for variable in _variables(settings, name, field))
    meaning = " ".join((field.description or "").split()).replace("|", "\\|")
    return f"| {variables} | {_default(field)} | {_value(field)} | {meaning} |"


def _variables(settings: type[BaseSettings], name: str, field: FieldInfo) -> Iterator[str]:
    alias = field.validation_alias
    if alias is None:
        yield f"{settings.model_config.get('env_prefix', '')}{name}".upper()
    elif isinstance(alias, AliasChoices):
        yield from (str(choice) for choice in alias.choices)
    else:
        yield str(alias)


def _default(field: FieldInfo) -> str:
    default: Any = field.default
    if field.default_factory is not None:
        return "computed"
    if default is PydanticUndefined:
        return "**required**"
    if default is None:
        return "unset"
    if isinstance(default, Path) and default.is_relative_to(ROOT):
        default = default.relative_to(ROOT)
    if isinstance(default, Enum):
        default = default.value
    if isinstance(default, bool):
        default = str(default).lower()
    return f"`{default}`" if str(default) else "empty"


def _value(field: FieldInfo) -> str:
    bounds = [
        f"{words} {getattr(constraint, bound)}"
        for constraint in field.metadata
        for bound, words in _BOUNDS.items()
        if getattr(constraint, bound, None) is not None
    ]
    return ", ".join([_type_name(field.annotation), *bounds])


def _type_name(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{choice}`" for choice in arguments)
    if origin in {Union, UnionType}:
        return " or ".join(_type_name(argument) for argument in arguments if argument is not NoneType)
    if origin in {list, tuple, set, frozenset}:
        return f"JSON list of {_type_name(arguments[0])}"
    if origin is dict:
        return "JSON object"
    return _TYPE_NAMES.get(annotation, getattr(annotation, "__name__", str(annotation)))


def main() -> int:
    """Write the page, or with `--check` exit 1 when it is out of date."""
    page = render(settings_classes())
    if "--check" in sys.argv[1:]:
        return 0 if PAGE.exists() and PAGE.read_text(encoding="utf-8") == page else 1
    PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
