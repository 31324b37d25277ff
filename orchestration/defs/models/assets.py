"""Every dbt model as an asset, every dbt test as an asset check."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DbtCliInvocation, dbt_assets
from dagster_dbt.core.dbt_event_iterator import DbtEventIterator

from orchestration.dbt_manifest import run_directory
from orchestration.dbt_translation import AddressTranslator
from orchestration.defs.models.columns import ModelLineage, attach_columns
from orchestration.defs.models.failures import DbtCommandError, raise_for_results
from orchestration.resources import DbtResource, WarehouseResource
from orchestration.retries import ENGINE_RESTARTS
from orchestration.settings import OrchestrationSettings

# dbt's unit tests run on rows of their own making: they prove the code, in CI, and say nothing about a refresh.
_BUILD = ["build", "--exclude-resource-type", "unit_test"]


def known_events(invocation: DbtCliInvocation, context: dg.AssetExecutionContext) -> Iterator[Any]:
    """Yield what Dagster is to know of a dbt command, but of models that came after the run was asked for.

    dbt looks at the files when it starts, and builds these too; they are assets of the runs that are asked for later.
    """
    outputs = selected_outputs(context)
    for event in invocation.stream_raw_events():
        node: str | None = event.raw_event["data"].get("node_info", {}).get("unique_id")
        if node is None or node in invocation.manifest["nodes"]:
            for told in event.to_default_asset_events(
                manifest=invocation.manifest,
                dagster_dbt_translator=invocation.dagster_dbt_translator,
                context=context,
                target_path=invocation.target_path,
                project=invocation.project,
            ):
                if not isinstance(told, dg.Output) or told.output_name in outputs:
                    yield told


def selected_outputs(context: dg.AssetExecutionContext) -> frozenset[str]:
    """Return the outputs of the assets that the run makes."""
    by_output = context.assets_def.keys_by_output_name
    return frozenset(name for name, key in by_output.items() if key in context.selected_asset_keys)


def is_of_all(context: dg.AssetExecutionContext) -> bool:
    """Say whether a run makes all models that there were when it was asked for.

    Dagster's page names each model that it knows, where the schedule names none: what came since is left out by nobody.
    """
    asked = context.instance.get_job_snapshot(str(context.run.job_snapshot_id))
    known = {
        output.name
        for node in asked.node_defs_snapshot.op_def_snaps
        if node.name == context.op_def.name
        for output in node.output_def_snaps
    }
    return bool(known) and not (context.assets_def.node_keys_by_output_name.keys() & known) - selected_outputs(context)


def build_model_assets(parsed: Path, *, stale_after: timedelta) -> dg.AssetsDefinition:
    """Return the assets of the dbt project whose manifest lies in the directory `parsed`."""
    manifest = parsed / "manifest.json"
    translator = AddressTranslator(stale_after)

    @dbt_assets(
        manifest=manifest,
        name="dbt_models",
        dagster_dbt_translator=translator,
        # Two runs that build the same tables would undo each other's work.
        pool="models",
        # First in line as soon as the projects are copied: figures are waited for, findings are not.
        op_tags={"dagster/priority": "1"},
    )
    def dbt_models(
        context: dg.AssetExecutionContext,
        dbt: DbtResource,
        warehouse: WarehouseResource,
        settings: dg.ResourceParam[OrchestrationSettings],
    ) -> Iterator[Any]:
        """Build and test the selected models in one dbt command."""
        with run_directory(parsed, context.run.run_id) as directory:
            invocation = dbt.cli(
                _BUILD,
                manifest=manifest,
                dagster_dbt_translator=translator,
                # With it, dagster-dbt names to dbt each model of a selection.
                context=None if is_of_all(context) else context,
                target_path=directory,
                raise_on_error=False,
            )
            events = DbtEventIterator(known_events(invocation, context), invocation).fetch_row_counts()
            if settings.column_lineage:
                lineage = ModelLineage(warehouse, invocation, translator)
                events = attach_columns(events, parsed, outputs=selected_outputs(context), lineage=lineage)
            yield from events
            try:
                raise_for_results(directory, succeeded=invocation.is_successful())
            except DbtCommandError as error:
                if error.may_pass_later and context.retry_number < ENGINE_RESTARTS.max_retries:
                    raise dg.RetryRequested(max_retries=ENGINE_RESTARTS.max_retries, seconds_to_wait=5) from error
                raise dg.Failure(error.detail, allow_retries=False) from error

    return dbt_models
