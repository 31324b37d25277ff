"""Settings that every service shares, read once from the environment and passed in."""

import sys
from pathlib import Path
from typing import Literal, Self

from pydantic import AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


def wrong_settings(error: ValidationError, settings: type[BaseSettings]) -> str:
    """Say in a sentence which variables are wrong, and how, but not what is in them: that may be a secret."""
    prefix = settings.model_config.get("env_prefix", "")
    found: list[str] = []
    for item in error.errors(include_input=False, include_url=False):
        name = str(item["loc"][0]) if item["loc"] else ""
        said = item["msg"].removeprefix("Value error, ")
        found.append(f"{name if name.isupper() else f'{prefix}{name}'.upper()}: {said}")
    return f"A setting is wrong: {'; '.join(found)}."


class CommonSettings(BaseSettings):
    """Where everything is kept, and how to log.

    A service subclasses this and the addresses that it needs, with an `env_prefix` of its own
    (`RADIXINSIGHT_<SERVICE>_`).
    """

    model_config = SettingsConfigDict(extra="ignore", frozen=True, populate_by_name=True)

    data_dir: Path = Field(
        default=Path(".radixinsight"),
        validation_alias="RADIXINSIGHT_DATA_DIR",
        description="The one directory in which everything is kept on this machine.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", validation_alias="RADIXINSIGHT_LOG_LEVEL", description="Least level that is logged."
    )
    log_format: Literal["console", "json"] = Field(
        default="console",
        validation_alias="RADIXINSIGHT_LOG_FORMAT",
        description="`console` for people, `json` for log collectors.",
    )

    @classmethod
    def read(cls) -> Self:
        """Return what the environment says; end the program with a sentence where that is wrong."""
        try:
            return cls()
        except ValidationError as error:
            sys.exit(wrong_settings(error, cls))


class WarehouseSettings(CommonSettings):
    """Where ClickHouse is."""

    clickhouse_url: SecretStr = Field(
        validation_alias=AliasChoices("CLICKHOUSE_URL", "RADIXINSIGHT_CLICKHOUSE_URL"),
        description="ClickHouse's HTTP address with user and password, as `http://user:password@host:8123/`.",
    )


class MetadataSettings(CommonSettings):
    """Where PostgreSQL is."""

    database_url: SecretStr = Field(
        validation_alias=AliasChoices("DATABASE_URL", "RADIXINSIGHT_DATABASE_URL"),
        description="PostgreSQL address, as `postgresql://user:password@host:5432/database`.",
    )


class Settings(WarehouseSettings, MetadataSettings):
    """Addresses of all engines.

    Under `radixinsight up` the supervisor sets the addresses of the embedded engines; an address that the operator set
    himself is passed on and the matching embedded engine is not started.
    """

    redis_url: SecretStr = Field(
        validation_alias=AliasChoices("REDIS_URL", "RADIXINSIGHT_REDIS_URL"),
        description="Valkey or Redis address, as `redis://:password@host:6379/0`.",
    )
