"""Who reads what: the exposures, beside the code that reads."""

import re
from collections.abc import Iterable
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "dbt_project" / "models"
# Marts of insights in files come and go.
MADE = MODELS / "marts" / "insights"
# Of core/insights what questions are asked with too; the rest of it writes models.
QUESTIONS = [ROOT / "core" / "insights" / f"{name}.py" for name in ("arguments", "cohorts", "filters")]


def models_in(directory: Path) -> set[str]:
    return {file.stem for file in directory.rglob("*.sql") if not file.is_relative_to(MADE)}


def named_in(files: Iterable[Path]) -> set[str]:
    seeds = {file.stem for file in (ROOT / "dbt_project" / "seeds" / "enrichment").glob("*.csv")}
    return (models_in(MODELS) | seeds) & {word for file in files for word in re.findall(r"\w+", file.read_text())}


def read_by(exposure: str) -> set[str]:
    exposures = yaml.safe_load((MODELS / "_exposures.yml").read_text())["exposures"]
    [read] = [each["depends_on"] for each in exposures if each["name"] == exposure]
    return {model for each in read for model in re.findall(r"ref\('(\w+)'\)", each)}


def test_the_api_reads_what_its_exposure_says() -> None:
    assert read_by("read_api") == named_in([*(ROOT / "api").rglob("*.py"), *QUESTIONS])


def test_analysts_may_read_every_mart() -> None:
    assert read_by("sql") == models_in(MODELS / "marts")
