import json
import re
from pathlib import Path

import pytest

from orchestration.defs.models.failures import DbtCommandError, raise_for_results


def write_results(directory: Path, *, said: str = "is bad\nmore", **statuses: str) -> None:
    results = [{"unique_id": name, "status": status, "message": said} for name, status in statuses.items()]
    (directory / "run_results.json").write_text(json.dumps({"results": results}))


def test_success_raises_nothing(tmp_path: Path) -> None:
    raise_for_results(tmp_path, succeeded=True)


def test_a_failed_test_will_fail_again(tmp_path: Path) -> None:
    write_results(tmp_path, model="success", unique="fail", later="skipped")
    with pytest.raises(
        DbtCommandError, match=r"^0 models could not be built and 1 tests failed:\nunique: is bad\nmore$"
    ) as raised:
        raise_for_results(tmp_path, succeeded=False)
    assert not raised.value.may_pass_later


def test_a_model_that_could_not_be_built_may_be_built_later(tmp_path: Path) -> None:
    write_results(tmp_path, model="error", unique="fail")
    with pytest.raises(DbtCommandError, match="model: is bad") as raised:
        raise_for_results(tmp_path, succeeded=False)
    assert raised.value.may_pass_later


def test_a_model_that_breaks_its_contract_does_so_again(tmp_path: Path) -> None:
    write_results(tmp_path, said="Compilation Error in model m\n  This model has an enforced contract", model="error")
    with pytest.raises(DbtCommandError, match="enforced contract") as raised:
        raise_for_results(tmp_path, succeeded=False)
    assert not raised.value.may_pass_later


def write_log(directory: Path, *, said: str) -> None:
    ended = {"data": {"exc": said}, "info": {"name": "MainEncounteredError", "level": "error"}}
    other = {"data": {}, "info": {"name": "FlushEvents", "level": "debug"}}
    (directory / "dbt.log").write_text("".join(json.dumps(line) + "\n" for line in (other, ended, other)))


@pytest.mark.parametrize(
    "kind",
    ["Parsing Error", "Compilation Error in model m (models/m.sql)", "Runtime Error\n  Syntax error near line 1"],
)
def test_a_project_that_cannot_be_read_cannot_be_read_later(tmp_path: Path, kind: str) -> None:
    write_log(tmp_path, said=f"{kind}\n  Syntax error near line 4")
    with pytest.raises(DbtCommandError, match=f"before it built anything: {re.escape(kind)}\n  Syntax error") as raised:
        raise_for_results(tmp_path, succeeded=False)
    assert not raised.value.may_pass_later


def test_a_warehouse_that_is_away_may_be_there_later(tmp_path: Path) -> None:
    write_log(tmp_path, said="Database Error\n  Connection refused")
    with pytest.raises(DbtCommandError, match="Connection refused") as raised:
        raise_for_results(tmp_path, succeeded=False)
    assert raised.value.may_pass_later


@pytest.mark.parametrize("said", ["", "MainEncounteredError", '{"info": {"name": "MainEncountere', "\n"])
def test_a_log_that_does_not_say_what_ended_dbt_is_named(tmp_path: Path, said: str) -> None:
    (tmp_path / "dbt.log").write_text(said)
    with pytest.raises(DbtCommandError, match=r"dbt\.log") as raised:
        raise_for_results(tmp_path, succeeded=False)
    assert raised.value.may_pass_later


def test_a_dbt_that_never_got_to_the_models_may_do_so_later(tmp_path: Path) -> None:
    with pytest.raises(DbtCommandError, match=r"dbt\.log") as raised:
        raise_for_results(tmp_path, succeeded=False)
    assert raised.value.may_pass_later
