"""`python -m runtime.clickhouse`: run the embedded ClickHouse server until it is told to stop."""

import os
import sys

import structlog
from pydantic import ValidationError

from core import logging
from runtime.clickhouse.server import Server, StartError
from runtime.clickhouse.settings import ClickHouseServerSettings


def main() -> int:
    """Run the server; returns the exit status."""
    try:
        settings = ClickHouseServerSettings()  # pyright: ignore[reportCallIssue] - passwords come from the environment
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors())
        sys.stderr.write(f"The settings RADIXINSIGHT_CLICKHOUSE_* are not complete: {wrong}\n")
        return 2
    logging.configure("clickhouse", settings)  # pyright: ignore[reportArgumentType] - it reads log_level and log_format
    try:
        server = Server(settings)
    except StartError as error:
        structlog.get_logger().error("not_started", reason=str(error))
        return 1
    server.run()
    return 0


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    # The engine's background threads are not joined: its handles are closed, and every insert was synced.
    os._exit(status)
