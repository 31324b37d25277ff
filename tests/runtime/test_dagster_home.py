from pathlib import Path

from dagster._core.instance.config import dagster_instance_config

from runtime import dagster_home


def test_dagster_accepts_its_configuration_and_one_run_at_a_time_builds_the_models(tmp_path: Path) -> None:
    dagster_home.prepare(tmp_path, code_server_port=1)
    config, _ = dagster_instance_config(str(tmp_path))
    assert config["concurrency"]["pools"] == {"default_limit": 1, "granularity": "run"}
