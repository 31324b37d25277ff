"""The definitions as Dagster's own programs load them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestration.settings import OrchestrationSettings

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
ENGINES = ("CLICKHOUSE_URL", "DATABASE_URL", "REDIS_URL", "DAGSTER_DATABASE_URL")


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", [["dagster", "definitions", "validate", "-w", "workspace.yaml"], ["dg", "check", "defs"]]
)
def test_the_definitions_are_valid_without_any_engine(
    command: list[str], settings: OrchestrationSettings, tmp_path: Path
) -> None:
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    environment = {name: value for name, value in os.environ.items() if name not in ENGINES} | {
        "DAGSTER_HOME": str(tmp_path),
        "RADIXINSIGHT_DATA_DIR": str(settings.data_dir),
        "VIRTUAL_ENV": str(BIN.parent),
        "PATH": f"{BIN}:{os.environ['PATH']}",
    }
    done = subprocess.run(
        [str(BIN / command[0]), *command[1:]], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_loading_the_definitions_imports_neither_dbt_nor_presidio_nor_great_expectations(
    settings: OrchestrationSettings,
) -> None:
    script = "import sys; import orchestration.definitions; print(sorted(sys.modules))"
    environment = os.environ | {"RADIXINSIGHT_DATA_DIR": str(settings.data_dir)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    heavy = {"presidio_analyzer", "spacy", "great_expectations", "pandas", "dbt.cli.main"}
    assert {module for module in heavy if f"'{module}'" in done.stdout} == set()
