"""How a dbt node becomes an asset: its key is its table's address, its group its domain."""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtProject

# models/<layer>/<domain>/<model>.sql, after the project's name.
_DOMAIN = 2
_ADDRESS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._%+-]*@[A-Za-z0-9.-]+\.[A-Za-z]{2,7}")
_NOT_IN_NAMES = re.compile(r"[^\w .&+@-]+")


class AddressTranslator(DagsterDbtTranslator):
    """Names assets after their tables; a prefix that a test puts before the databases is no part of the name."""

    def __init__(self, stale_after: timedelta) -> None:
        # dbt's own tests become asset checks; a test of sources would be a second home for the rules on landing data.
        super().__init__(DagsterDbtTranslatorSettings(enable_asset_checks=True, enable_source_tests_as_checks=False))
        self._stale_after = stale_after

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """Return `database/table`."""
        if dbt_resource_props["resource_type"] == "source":
            return dg.AssetKey([dbt_resource_props["source_name"], dbt_resource_props["name"]])
        return dg.AssetKey([dbt_resource_props["config"]["schema"], dbt_resource_props["alias"]])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """Return the domain: the folder below the layer's."""
        fqn: list[str] = dbt_resource_props["fqn"]
        return fqn[_DOMAIN] if len(fqn) > _DOMAIN + 1 else fqn[_DOMAIN - 1]

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """Return the description alone; a model's SQL stands in the repository and in ClickHouse."""
        described = " ".join(dbt_resource_props.get("description", "").split())
        # A list that somebody has put into the folder of lists has none.
        is_list = not described and dbt_resource_props["resource_type"] == "seed"
        return "One row per line of its file." if is_list else described

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> Sequence[str] | None:
        """Return dbt's `meta.owner`: an address as it is, any other text as the name of a team, which Dagster wants."""
        owner = dbt_resource_props["config"].get("meta", {}).get("owner")
        if not isinstance(owner, str):
            return super().get_owners(dbt_resource_props)
        if _ADDRESS.fullmatch(owner):
            return [owner]
        # A definition's owner is any text; a quote would end the name where assets are selected by it.
        name = _NOT_IN_NAMES.sub("-", owner).strip(" -")
        return [f"team:{name}"] if name else None

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None) -> dg.AssetSpec:
        """Add the layer as a tag and the freshness that the schedule promises."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        return spec.replace_attributes(
            tags={**spec.tags, "layer": spec.key.path[0]},
            freshness_policy=freshness(self._stale_after),
        )


def freshness(stale_after: timedelta) -> dg.FreshnessPolicy:
    """Return the policy of everything that the refresh rebuilds: a warning at half of the time, then stale."""
    return dg.FreshnessPolicy.time_window(fail_window=stale_after, warn_window=stale_after / 2)
