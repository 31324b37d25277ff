"""What can be configured about the importer."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from core.settings import MetadataSettings, WarehouseSettings
from ingestion.event_schemas import ProjectSchemas
from ingestion.importing.errors import UnknownProjectError
from ingestion.settings import EventSettings, SpoolSettings
from ingestion.write_keys import ProjectRules, load_rules

_GIB = 1024**3


class ImportSettings(EventSettings, SpoolSettings, WarehouseSettings, MetadataSettings):
    """The importer of uploaded files: `python -m ingestion.importing.importer`, and `radixinsight import`."""

    model_config = SettingsConfigDict(env_prefix="RADIXINSIGHT_IMPORTER_", extra="ignore", frozen=True)

    max_unpacked_bytes: int = Field(
        default=100 * _GIB,
        gt=0,
        description="Most bytes of the rows of an uploaded file: one that unpacks to more is not read further.",
    )


def rules_of(settings: ImportSettings, project_id: int) -> tuple[ProjectRules, ProjectSchemas | None]:
    """Return what a project wants of its events at this moment; raise `UnknownProjectError` where there is none."""
    found = load_rules(settings.database_url.get_secret_value(), project_id)
    if found is None:
        raise UnknownProjectError(f"There is no project {project_id}.")
    return found
