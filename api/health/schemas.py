"""Shapes of the health answers."""

from typing import Literal

from pydantic import BaseModel


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"]


class Ready(BaseModel):
    """What the API needs, and whether it is there. Valkey being away only slows it down."""

    status: Literal["ready"]
    checks: dict[str, Literal["ok", "away"]]
