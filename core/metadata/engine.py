"""Connections to PostgreSQL, from the same `postgresql://` address that every other tool takes."""

from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Engine, create_engine, make_url

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine


def connect(url: str, **options: Any) -> Engine:
    """Return a pooled, blocking engine; `options` go to SQLAlchemy. Nothing connects before the first query."""
    return create_engine(driver_url(url), **_defaults(options))


def connect_async(url: str, **options: Any) -> "AsyncEngine":
    """Return a pooled engine for asyncio; `options` go to SQLAlchemy. Nothing connects before the first query."""
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415 - 0.2 s of the start of every other process

    return create_async_engine(driver_url(url), **_defaults(options))


def driver_url(url: str) -> URL:
    """Name psycopg 3, which serves both kinds of engine, as the driver of a plain `postgresql://` address."""
    return make_url(url).set(drivername="postgresql+psycopg")


def _defaults(options: dict[str, Any]) -> dict[str, Any]:
    # pre-ping: after PostgreSQL was restarted, the first query of a pooled connection would fail otherwise.
    connect_args = {"connect_timeout": 5, "options": "-c timezone=UTC"} | options.get("connect_args", {})
    # Statements carry hashes, addresses and names, which would stand in the text of an error.
    return {"pool_pre_ping": True, "hide_parameters": True} | options | {"connect_args": connect_args}
