"""Connections to ClickHouse over HTTP, with the settings that hold for every one of them in one place."""

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import unquote, urlsplit

import clickhouse_connect
from clickhouse_connect.driver.client import Client

from core.errors import RadixError

if TYPE_CHECKING:
    # With it comes aiohttp, 0.2 s of the start of every process that asks nothing asynchronously.
    from clickhouse_connect.driver.asyncclient import AsyncClient


class InvalidWarehouseUrlError(RadixError):
    """The configured ClickHouse address cannot be used."""

    code: ClassVar[str] = "invalid_clickhouse_url"
    title: ClassVar[str] = "The ClickHouse address is not valid"


def connect(url: str, *, connect_timeout_s: int = 10, read_timeout_s: int = 300, **settings: Any) -> Client:
    """Return a blocking client; safe to share between threads.

    `url` is `http[s]://user:password@host:port/[database]`; `settings` are ClickHouse settings sent with every query.
    The client asks the server for its version at once: raises `clickhouse_connect`'s `OperationalError` when the
    server is away, and `InvalidWarehouseUrlError` for an address of another form.
    """
    return clickhouse_connect.get_client(
        **_arguments(url, settings), connect_timeout=connect_timeout_s, send_receive_timeout=read_timeout_s
    )


async def connect_async(
    url: str, *, connect_timeout_s: int = 10, read_timeout_s: int = 300, **settings: Any
) -> "AsyncClient":
    """Return a client for asyncio; otherwise as `connect`. Close it with `await client.close()`."""
    return await clickhouse_connect.get_async_client(
        **_arguments(url, settings), connect_timeout=connect_timeout_s, send_receive_timeout=read_timeout_s
    )


def _arguments(url: str, settings: dict[str, Any]) -> dict[str, Any]:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        # The address itself stays out of the message: it carries the password.
        raise InvalidWarehouseUrlError("CLICKHOUSE_URL must look like http://user:password@host:8123/.")
    return {
        "interface": parts.scheme,
        "host": parts.hostname,
        "port": parts.port or (8443 if parts.scheme == "https" else 8123),
        "username": unquote(parts.username or "default"),
        "password": unquote(parts.password or ""),
        "database": parts.path.strip("/") or None,
        # A session runs one query at a time; without one, threads and tasks can share a client.
        "autogenerate_session_id": False,
        # Every stored instant is UTC; aware datetimes cannot be mistaken for local ones.
        "tz_mode": "aware",
        "settings": settings,
    }
