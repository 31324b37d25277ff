import logging
from pathlib import Path

import pytest
import structlog

from core.logging import configure
from core.settings import Settings


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_an_exception_is_logged_without_the_values_of_local_variables(
    log_format: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CLICKHOUSE_URL", "http://user:url-password@127.0.0.1:1/")
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:url-password@127.0.0.1:1/db")
    monkeypatch.setenv("REDIS_URL", "redis://:url-password@127.0.0.1:1/0")
    monkeypatch.setenv("RADIXINSIGHT_LOG_FORMAT", log_format)
    monkeypatch.setenv("RADIXINSIGHT_DATA_DIR", str(tmp_path))
    handlers, level = logging.getLogger().handlers, logging.getLogger().level
    try:
        settings = Settings()  # pyright: ignore[reportCallIssue] - the fields come from the environment
        configure("test", settings)
        _fail_with_a_secret("rk_secret")
    finally:
        logging.getLogger().handlers, logging.getLogger().level = handlers, level
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()
    logged = capsys.readouterr().err
    assert "ZeroDivisionError" in logged
    assert "rk_secret" not in logged
    assert "url-password" not in logged


def _fail_with_a_secret(api_key: str) -> None:
    try:
        divmod(len(api_key), 0)
    except ZeroDivisionError:
        structlog.get_logger().exception("failed")
