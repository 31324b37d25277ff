"""What the models' yml files say about single rows: `dbt build` in the pipeline leaves these tests out."""

import json

import pytest
from clickhouse_connect.driver.client import Client

from engine.landing import MODELS, landing
from runtime.instance import Instance

pytestmark = pytest.mark.slow


def test_the_unit_tests_of_the_models_pass(runtime: Instance, client: Client) -> None:
    with landing(runtime, client) as made:
        made.set_project(1, timezone="UTC")
        # They take the types of their columns from the tables.
        made.dbt(*MODELS)
        made.dbt("test", "--select", "test_type:unit")
    target = made.directory / "target"
    declared = json.loads((target / "manifest.json").read_text())["unit_tests"]
    results = json.loads((target / "run_results.json").read_text())["results"]
    assert declared
    assert {result["unique_id"]: result["status"] for result in results} == dict.fromkeys(declared, "pass")
