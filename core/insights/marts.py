"""Writes the dbt models of the definitions: for each file in `dbt_project/insights` a mart and its description.

The models stand in the project like those written by hand, so that everyone can read the SQL of a figure, and dbt needs
nothing but its own files. A definition that goes takes its model along; its table stays until somebody drops it.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from core.insights.files import DefinedInsight, Problem, definition_files, scan_definitions, shown
from core.insights.lists import list_files
from core.insights.mart_models import model_of
from core.insights.model_text import Column, line, without_jinja

DEFINITIONS = Path("insights")
MODELS = Path("models") / "marts" / "insights"
_READ = (("models", "*.sql"), ("seeds", "*.csv"))
_REFERENCE = re.compile(r"\bref\('(\w+)'\)")
_MARK = "Made from {file} by `radixinsight insights write`: edit that file."


def write_marts(project: Path) -> tuple[list[Path], list[Problem]]:
    """Make the models of the dbt project in the directory `project` those of its definitions.

    Returns the files that changed, and what is wrong with definitions that cannot be read: these keep the model that
    they had, unless what it reads is gone. Files that are right already are left alone. Raises OSError where they
    cannot be written.
    """
    found, problems = read_project(project)
    wanted, held = _wanted(project, found), _held(project)
    changed = [file for file, text in wanted.items() if held.get(file) != text]
    for file in changed:
        file.parent.mkdir(parents=True, exist_ok=True)
        scratch = file.with_suffix(f"{file.suffix}.new")
        scratch.write_text(wanted[file], encoding="utf-8")
        scratch.replace(file)
    kept = {file.stem for file in definition_files(project / DEFINITIONS)}
    gone = [file for file in held if file.stem not in kept]
    for file in gone:
        file.unlink()
    gone += _drop_widowed(project, {file.stem for file in held} - {file.stem for file in wanted})
    return [*changed, *sorted(gone)], problems


def _drop_widowed(project: Path, names: set[str]) -> list[Path]:
    """Remove those of some models that read a list or a cohort that is gone: dbt would build nothing at all."""
    gone: list[Path] = []
    while True:
        there = {file.stem for folder, kind in _READ for file in (project / folder).rglob(kind)}
        models = [file for file in sorted((project / MODELS).glob("*.sql")) if file.stem in names]
        widowed = [file for file in models if not set(_REFERENCE.findall(file.read_text(encoding="utf-8"))) <= there]
        if not widowed:
            return gone
        for file in (each for model in widowed for each in (model, model.with_suffix(".yml"))):
            file.unlink(missing_ok=True)
            gone.append(file)


def unwritten(project: Path) -> list[Path]:
    """Return the files of models, from the project's directory, that are not what the definitions say."""
    found, _ = read_project(project)
    held = _held(project)
    return [file.relative_to(project) for file, text in _wanted(project, found).items() if held.get(file) != text]


def _wanted(project: Path, found: list[DefinedInsight]) -> dict[Path, str]:
    return {project / MODELS / name: text for insight in found for name, text in render_mart(insight).items()}


def _held(project: Path) -> dict[Path, str]:
    return {file: file.read_text(encoding="utf-8") for file in _made(project / MODELS)}


def read_project(project: Path) -> tuple[list[DefinedInsight], list[Problem]]:
    """Return the definitions of a dbt project, and what is wrong: with files, or with names that others have."""
    found, problems = scan_definitions(project / DEFINITIONS)
    made = {file.resolve() for file in _made(project / MODELS)}
    lists = list_files(project)
    models = {file.stem for file in (project / "models").rglob("*.sql") if file.resolve() not in made}
    models |= {file.stem for file in (project / "seeds").rglob("*.csv") if file not in lists}
    others = models | {file.stem for file in lists}
    taken = [insight.file for insight in found if insight.name in others]
    models |= {insight.name for insight in found}
    taken += [file for file in lists if _is_of_a_model(file.stem, models)]
    problems += [Problem(shown(file), 1, "", "there is a model of that name already") for file in taken]
    return [insight for insight in found if insight.name not in others], problems


def _is_of_a_model(table: str, models: set[str]) -> bool:
    """Say whether a table is a model's: its own, or one beside it that has its name and something more."""
    return any(table == model or table.startswith(f"{model}_") for model in models)


def render_mart(insight: DefinedInsight) -> dict[str, str]:
    """Return the two files of an insight's mart by name: the model and its description."""
    sql, key, columns = model_of(insight.definition)
    mark = _MARK.format(file=f"{insight.file.parent.name}/{insight.file.name}")
    described = yaml.safe_dump(
        _described(insight, key, columns), sort_keys=False, allow_unicode=True, width=116, default_flow_style=False
    )
    return {
        f"{insight.name}.sql": line(f"{{#- {mark} -#}}") + f"\n{sql}",
        f"{insight.name}.yml": f"# {mark}\n{described}",
    }


def _described(insight: DefinedInsight, key: list[str], columns: Iterable[Column]) -> Mapping[str, Any]:
    rows = ", ".join(key[:-1]) + f" and {key[-1]}"
    description = f"One row per {rows}: {insight.definition.description} ({insight.version})"
    model = {
        "name": insight.name,
        "description": without_jinja(description),
        "config": {"meta": {"owner": without_jinja(insight.definition.owner)}},
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
