"""What can be configured about the importer."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from core.settings import WarehouseSettings
from ingestion.settings import EventSettings, SpoolSettings

_GIB = 1024**3


class ImportSettings(EventSettings, SpoolSettings, WarehouseSettings):
    """The importer of uploaded files: `python -m ingestion.importing.importer`, and `radixinsight import`."""

    model_config = SettingsConfigDict(env_prefix="RADIXINSIGHT_IMPORTER_", extra="ignore", frozen=True)

    max_unpacked_bytes: int = Field(
        default=100 * _GIB,
        gt=0,
        description="Most bytes of the rows of an uploaded file: one that unpacks to more is not read further.",
    )
