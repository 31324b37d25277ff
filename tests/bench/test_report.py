import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def report() -> ModuleType:
    path = Path(__file__).parents[2] / "bench" / "report.py"
    spec = importlib.util.spec_from_file_location("report", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["report"] = module
    spec.loader.exec_module(module)
    return module


def _finish(report: ModuleType, arguments: list[str], value: float) -> int:
    table = report.Report("A bench", ("what", "speed"))
    table.row("something", "12/s")
    table.ratio("something", value, goal=0.5)
    return table.finish(report.parse_options("A bench.", arguments))


def test_a_missed_goal_fails_the_program_only_when_checked(
    report: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _finish(report, [], 0.49) == 0
    assert _finish(report, ["--check"], 0.49) == 1
    assert "goal missed: something is 0.490, wanted at least 0.5" in capsys.readouterr().out


def test_a_goal_that_is_just_met_is_met(report: ModuleType) -> None:
    assert _finish(report, ["--check"], 0.5) == 0


def test_the_figures_are_written_as_flat_ratios_and_goals(report: ModuleType, tmp_path: Path) -> None:
    _finish(report, ["--json", str(tmp_path / "figures.json")], 0.75)
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures == {"ratios": {"something": 0.75}, "goals": {"something": 0.5}}


def test_columns_of_the_table_line_up(report: ModuleType) -> None:
    table = report.Report("A bench", ("what", "speed"))
    table.row("a", "1/s")
    table.row("something long", "1,000/s")
    assert len({len(line) for line in table.render().splitlines()[2:]}) == 1
