"""Passwords of the embedded engines: drawn at random once, kept in the data directory."""

import os
import secrets
from pathlib import Path

import msgspec

from runtime.directory import DataDirectory


def _draw() -> str:
    return secrets.token_urlsafe(24)


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """One password per user and engine; URL-safe, so that they stand in addresses as they are."""

    clickhouse_admin: str
    clickhouse_radixinsight: str
    clickhouse_reader: str
    postgres_superuser: str
    postgres_radixinsight: str
    valkey: str

    def __repr__(self) -> str:
        """Show no secret."""
        return "Credentials(…)"


def draw_credentials() -> Credentials:
    """Draw new passwords."""
    return Credentials(**{name: _draw() for name in Credentials.__struct_fields__})


def load_credentials(directory: DataDirectory) -> Credentials:
    """Read the passwords, or draw and keep them when there are none yet."""
    if directory.secrets_file.exists():
        return msgspec.json.decode(directory.secrets_file.read_bytes(), type=Credentials)
    drawn = draw_credentials()
    write_private(directory.secrets_file, msgspec.json.format(msgspec.json.encode(drawn)))
    return drawn


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
