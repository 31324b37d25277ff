"""The asset graph as a whole; a change of it is a change of asset_graph.json that a reviewer sees."""

import json
import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from orchestration.dbt_translation import AddressTranslator
from orchestration.defs.backfills.assets import BACKFILLS

SNAPSHOT = Path(__file__).with_name("asset_graph.json")
UPDATE = "RADIXINSIGHT_UPDATE_SNAPSHOTS"


@pytest.fixture(scope="module")
def graph(definitions: dg.Definitions) -> dict[str, dict[str, Any]]:
    """Describe each asset: its group, its parents, and the names of its checks."""
    assets = definitions.resolve_asset_graph()
    return {
        key.to_user_string(): {
            "group": assets.get(key).group_name,
            "parents": sorted(parent.to_user_string() for parent in assets.get(key).parent_keys),
            "checks": sorted(check.name for check in assets.get_check_keys_for_assets({key})),
        }
        for key in sorted(assets.get_all_asset_keys())
    }


def test_the_asset_graph_is_the_one_that_was_reviewed(graph: dict[str, dict[str, Any]]) -> None:
    if os.environ.get(UPDATE):
        SNAPSHOT.write_text(json.dumps(graph, indent=2) + "\n")
    assert graph == json.loads(SNAPSHOT.read_text()), f"If this is wanted, run the test with {UPDATE}=1."


def test_events_are_made_of_what_each_model_of_changes_found_in_the_same_run(graph: dict[str, dict[str, Any]]) -> None:
    found_in_a_run = {"intermediate/int_events_arrived", "intermediate/int_keys_hashed"}
    before, after = {"marts/fct_events"}, set(found_in_a_run)
    for _ in graph:
        before |= {parent for key in before for parent in graph.get(key, {"parents": []})["parents"]}
        after |= {key for key, asset in graph.items() if after.intersection(asset["parents"])}
    wanted = {key.split("/")[1] for key in before & after} - {"fct_events"}
    macros = (Path(__file__).parents[2] / "dbt_project" / "macros" / "facts.sql").read_text()
    [required] = re.findall(r"macro require_inputs_of_this_run.*?for name in \[(.*?)\]", macros, re.DOTALL)
    assert set(re.findall(r"\w+", required)) == wanted


def test_an_asset_is_named_after_its_table(graph: dict[str, dict[str, Any]]) -> None:
    layers = {key.split("/")[0] for key in graph}
    assert layers == {"raw", "staging", "intermediate", "marts", "governance", "enrichment", "insights"}
    assert all(key.count("/") == 1 for key in graph)


def test_every_asset_has_a_domain_and_says_what_one_row_is(definitions: dg.Definitions) -> None:
    assets = definitions.resolve_asset_graph()
    for key in assets.get_all_asset_keys():
        node = assets.get(key)
        assert node.group_name not in {None, "default"}, key
        assert (node.description or "").startswith("One row per "), key


def test_every_model_has_the_owner_that_dbt_says(definitions: dg.Definitions) -> None:
    assets = definitions.resolve_asset_graph()
    models = {
        key.to_user_string(): set(assets.get(key).owners)
        for key in assets.materializable_asset_keys
        if key.path[0] in {"staging", "intermediate", "marts"}
    }
    assert len(models) > 40
    assert models["staging/stg_collector__events"] == {"team:data-platform"}
    assert models["marts/fct_events"] == {"team:analytics-engineering"}
    assert {name for name, owners in models.items() if len(owners) != 1} == set()


@pytest.mark.parametrize(
    ("owner", "known"),
    [
        ("ann.lee@example.org", ["ann.lee@example.org"]),
        ("Ann Lée", ["team:Ann Lée"]),
        ('the "A" team: growth\n', ["team:the -A- team- growth"]),
        ("@", ["team:@"]),
        ('"', None),
        ("", None),
    ],
)
def test_an_owner_may_be_any_text(owner: str, known: list[str] | None) -> None:
    translator = AddressTranslator(timedelta(hours=1))
    owners = translator.get_owners({"config": {"meta": {"owner": owner}}})
    assert owners == known
    dg.AssetSpec("table", owners=owners)


def test_landing_rules_stand_in_one_place_only(graph: dict[str, dict[str, Any]]) -> None:
    assert "freshness" in graph["raw/events"]["checks"]
    assert not any("dbt" in check or "source" in check for check in graph["raw/events"]["checks"])


def test_everything_that_is_made_has_a_freshness_policy(definitions: dg.Definitions) -> None:
    assets = definitions.resolve_asset_graph()
    without = {key.to_user_string() for key in assets.materializable_asset_keys if not assets.get(key).freshness_policy}
    # Made by hand, when somebody wants days anew.
    assert without == {"raw/backfills"}


def test_the_jobs_cover_every_asset_and_check_once(definitions: dg.Definitions) -> None:
    assets = definitions.resolve_asset_graph()
    jobs = ("refresh", "reconcile", "materialise")
    selected = [definitions.resolve_job_def(name).asset_layer.asset_graph for name in jobs]
    keys = [key for graph in selected for key in graph.executable_asset_keys]
    checks = [key for graph in selected for key in graph.asset_check_keys]
    assert sorted([*keys, BACKFILLS]) == sorted(assets.executable_asset_keys)
    assert sorted(checks) == sorted(assets.asset_check_keys)
