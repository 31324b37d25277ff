"""The way to Valkey of those who ask it while somebody waits."""

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as ConnectionLostError
from redis.maint_notifications import MaintNotificationsConfig

# Where redis-py expects Redis Enterprise's notices of maintenance, which Valkey never sends, it takes a connection that
# was closed for one with a notice, and sends the next command into nothing.
_NO_NOTICES = MaintNotificationsConfig(enabled=False)


def connect(url: str, *, seconds: float, is_repeatable: bool = False, as_text: bool = False) -> Redis:
    """Return a client of `redis://:password@host:port/db`. Nothing connects before the first command.

    A connection that Valkey has closed is replaced before a command is sent. One that breaks while it answers fails,
    as does one that is silent for so many `seconds`: the command may have been carried out. Where that is no harm
    (`is_repeatable`), it is sent once more over a new connection. Answers are bytes, or `as_text`.
    """
    return Redis.from_url(
        url,
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        retry=Retry(NoBackoff(), 1 if is_repeatable else 0, supported_errors=(ConnectionLostError,)),
        maint_notifications_config=_NO_NOTICES,
        decode_responses=as_text,
    )
