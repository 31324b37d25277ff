"""Connects to each engine as the services do, and asks for its version."""

import psycopg
import redis
from clickhouse_connect.driver.exceptions import Error as ClickHouseError

from core import warehouse
from core.errors import RadixError
from runtime.errors import OperationError


def check_clickhouse(url: str) -> str:
    """Return ClickHouse's version; raise OperationError with the reason when it can't be used."""
    try:
        with warehouse.connect(url, connect_timeout_s=3, read_timeout_s=5) as client:
            return f"ClickHouse {client.server_version}"
    except (ClickHouseError, RadixError) as error:
        raise OperationError(_first_line(error)) from error


def check_postgres(url: str) -> str:
    """Return PostgreSQL's version; raise OperationError with the reason when it can't be used."""
    try:
        with psycopg.connect(url, connect_timeout=3) as connection:
            return f"PostgreSQL {connection.info.server_version // 10000}.{connection.info.server_version % 10000}"
    except psycopg.Error as error:
        raise OperationError(_first_line(error)) from error


def check_redis(url: str) -> str:
    """Return Valkey's version; raise OperationError with the reason when it can't be used."""
    try:
        with redis.Redis.from_url(url, socket_timeout=3, socket_connect_timeout=3) as client:
            facts = client.info("server")
    except (redis.RedisError, ValueError) as error:
        raise OperationError(_first_line(error)) from error
    name = "Valkey" if "valkey_version" in facts else "Redis"
    return f"{name} {facts.get('valkey_version') or facts.get('redis_version')}"


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
