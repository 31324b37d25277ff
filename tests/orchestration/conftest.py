"""The definitions as Dagster loads them, with the dbt project parsed once for all tests."""

import os
import warnings
from pathlib import Path

import dagster as dg
import pytest

# What Dagster and sqlglot say about themselves when they are imported is not ours to mend.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from orchestration.definitions import build_definitions
from orchestration.settings import OrchestrationSettings

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let Dagster use what it has itself declared deprecated."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.filterwarnings("ignore::DeprecationWarning"))


@pytest.fixture(scope="session")
def settings() -> OrchestrationSettings:
    """Keep dbt's state in the session's directory, so that all workers share one parse."""
    return OrchestrationSettings(data_dir=Path(os.environ["RADIXINSIGHT_TEST_ROOT"]) / "orchestration")


@pytest.fixture(scope="session")
def definitions(settings: OrchestrationSettings) -> dg.Definitions:
    """Load everything, without any engine."""
    return build_definitions(settings)
