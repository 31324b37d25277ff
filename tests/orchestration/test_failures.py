import json
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


def test_a_dbt_that_never_got_to_the_models_may_do_so_later(tmp_path: Path) -> None:
    with pytest.raises(DbtCommandError, match=r"dbt\.log") as raised:
        raise_for_results(tmp_path, succeeded=False)
    assert raised.value.may_pass_later
