"""Shapes of the health answers."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Alive(BaseModel):
    """The process answers."""

    model_config = ConfigDict(json_schema_extra={"example": {"status": "ok"}})

    status: Literal["ok"]


class Ready(BaseModel):
    """What the API needs, and whether it is there. Valkey being away only slows it down."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"status": "ready", "checks": {"clickhouse": "ok", "postgresql": "ok", "valkey": "ok"}}
        }
    )

    status: Literal["ready"]
    checks: dict[str, Literal["ok", "away"]]
