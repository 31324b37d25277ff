"""Writes the dbt models of the definitions: for each file in `dbt_project/insights` a mart and its description.

The models stand in the project like those written by hand, so that everyone can read the SQL of a figure, and dbt needs
nothing but its own files. A definition that goes takes its model along; its table stays until somebody drops it.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from core.insights.files import DefinedInsight, read_definitions
from core.insights.mart_models import Column, model_of

DEFINITIONS = Path("insights")
MODELS = Path("models") / "marts" / "insights"
_MARK = "Made from {file} by `radixinsight insights write`: edit that file."


def write_marts(project: Path) -> list[Path]:
    """Make the models of the dbt project in the directory `project` those of its definitions; return what changed.

    Files that are right already are left alone. Raises `InvalidDefinitionsError`, and then changes nothing.
    """
    wanted: dict[Path, str] = {}
    for insight in read_definitions(project / DEFINITIONS):
        for name, text in render_mart(insight).items():
            wanted[project / MODELS / name] = text
    held = {file: file.read_text(encoding="utf-8") for file in _made(project / MODELS)}
    changed = [file for file, text in wanted.items() if held.get(file) != text]
    for file in changed:
        file.parent.mkdir(parents=True, exist_ok=True)
        scratch = file.with_suffix(f"{file.suffix}.new")
        scratch.write_text(wanted[file], encoding="utf-8")
        scratch.replace(file)
    gone = sorted(held.keys() - wanted.keys())
    for file in gone:
        file.unlink()
    return [*changed, *gone]


def render_mart(insight: DefinedInsight) -> dict[str, str]:
    """Return the two files of an insight's mart by name: the model and its description."""
    sql, key, columns = model_of(insight.definition)
    mark = _MARK.format(file=f"{insight.file.parent.name}/{insight.file.name}")
    described = yaml.safe_dump(
        _described(insight, key, columns), sort_keys=False, allow_unicode=True, width=116, default_flow_style=False
    )
    return {f"{insight.name}.sql": f"{{#- {mark} -#}}\n{sql}", f"{insight.name}.yml": f"# {mark}\n{described}"}


def _described(insight: DefinedInsight, key: list[str], columns: Iterable[Column]) -> Mapping[str, Any]:
    rows = ", ".join(key[:-1]) + f" and {key[-1]}"
    model = {
        "name": insight.name,
        "description": f"One row per {rows}: {insight.definition.description}",
        "config": {"meta": {"owner": insight.definition.owner}},
        "data_tests": [{"unique_together": {"arguments": {"columns": key}}}],
        "columns": [
            {"name": name, "data_type": kind, "description": description} for name, kind, description in columns
        ],
    }
    return {"version": 2, "models": [model]}


def _made(directory: Path) -> Iterable[Path]:
    start, end = _MARK.split("{file}")
    for file in directory.glob("*"):
        if file.suffix in {".sql", ".yml"}:
            first = file.read_text(encoding="utf-8").partition("\n")[0]
            if start in first and end in first:
                yield file
