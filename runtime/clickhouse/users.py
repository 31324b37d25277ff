"""Who may enter: three users with fixed rights, proven by a password in one of ClickHouse's usual ways."""

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from pydantic import SecretStr

from runtime.clickhouse.errors import ClickHouseError
from runtime.clickhouse.settings import ClickHouseServerSettings


class Role(Enum):
    """What a user may do."""

    ADMIN = auto()
    WRITER = auto()
    READER = auto()


@dataclass(frozen=True)
class User:
    """A user and the upper limits of his queries, by setting name; a limit may be tightened, never lifted."""

    name: str
    role: Role
    password: SecretStr
    limits: Mapping[str, int] = field(default_factory=dict[str, int])


class Users:
    """The users of this server."""

    def __init__(self, settings: ClickHouseServerSettings) -> None:
        limits = {
            "max_execution_time": settings.reader_max_execution_time_s,
            "max_memory_usage": settings.reader_max_memory_bytes,
            "max_result_bytes": settings.reader_max_result_bytes,
        }
        made = (
            User("admin", Role.ADMIN, settings.admin_password),
            User("radixinsight", Role.WRITER, settings.radixinsight_password),
            User("reader", Role.READER, settings.reader_password, {name: n for name, n in limits.items() if n}),
        )
        self._users = {user.name: user for user in made}

    def authenticate(self, headers: Mapping[str, str], parameters: Mapping[str, str]) -> User:
        """Return the user who proved himself by Basic credentials, ClickHouse's own headers or the URL.

        Raises ClickHouseError 194 (asking a browser for credentials) when there are none, 516 when they are wrong.
        """
        basic = headers.get("authorization", "")
        own = "x-clickhouse-user" in headers or "x-clickhouse-key" in headers
        in_url = "user" in parameters or "password" in parameters
        if own and (basic or in_url):
            raise ClickHouseError(
                516,
                "Invalid authentication: it is not allowed to use X-ClickHouse HTTP headers and other authentication "
                "methods simultaneously",
            )
        if own:
            name, password = headers.get("x-clickhouse-user", ""), headers.get("x-clickhouse-key", "")
        elif basic:
            if in_url:
                raise ClickHouseError(
                    516,
                    "Invalid authentication: it is not allowed to use Authorization HTTP header and authentication "
                    "via parameters simultaneously",
                )
            name, password = _basic(basic)
        elif in_url:
            name, password = parameters.get("user", ""), parameters.get("password", "")
        else:
            raise ClickHouseError(194, "Authentication is required: send a user and his password")
        name = name or "default"
        user = self._users.get(name)
        expected = user.password.get_secret_value() if user else ""
        matches = hmac.compare_digest(expected.encode(), password.encode(errors="surrogateescape"))
        if user is None or not matches:
            raise ClickHouseError(
                516,
                f"{name}: Authentication failed: password is incorrect, or there is no user with such name",
            )
        return user


def _basic(header: str) -> tuple[str, str]:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        raise ClickHouseError(516, f"Invalid authentication: '{scheme}' HTTP Authorization scheme is not supported")
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True).decode()
    except ValueError:
        raise ClickHouseError(516, "Invalid authentication: cannot decode the Basic credentials") from None
    name, colon, password = decoded.partition(":")
    if not colon:
        raise ClickHouseError(516, "Invalid authentication: the Basic credentials have no colon")
    return name, password
