"""What only this installation can make and read: access tokens, CSRF tokens, encrypted secrets."""

import base64
import hashlib
import hmac
import os
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

import jwt
from cryptography.fernet import Fernet, InvalidToken

from api.access.errors import SessionEndedError
from api.settings import ApiSettings
from core.clock import utc_now
from core.errors import RadixError
from core.metadata.organisations import base62, random_token

_ISSUER = "radixinsight"
_AUDIENCE = "radixinsight-api"
_ALGORITHM = "HS256"
EncryptedFor = Literal["second factors", "identity providers"]

_SHORTEST = 32


class SecretMissingError(RadixError):
    """What has to be secret is not there."""

    code: ClassVar[str] = "secret_missing"
    title: ClassVar[str] = "The installation's secret is not there"


class Secrets:
    """Keys derived from the one secret of the installation, one for each purpose."""

    def __init__(self, settings: ApiSettings) -> None:
        self._settings = settings

    def access_token(self, user_id: int, session_id: int) -> tuple[str, datetime]:
        """Return a JSON Web Token for a program and when it expires."""
        now = utc_now()
        expires_at = now + timedelta(seconds=self._settings.access_token_seconds)
        claims = {
            "iss": _ISSUER,
            "aud": _AUDIENCE,
            "sub": str(user_id),
            "sid": session_id,
            "iat": now,
            "exp": expires_at,
        }
        return jwt.encode(claims, self._key("access tokens"), algorithm=_ALGORITHM), expires_at

    def session_of(self, access_token: str) -> int:
        """Return the number of the session that an access token was given to; raises `SessionEndedError`."""
        try:
            claims = jwt.decode(
                access_token,
                self._key("access tokens"),
                algorithms=[_ALGORITHM],
                audience=_AUDIENCE,
                issuer=_ISSUER,
                options={"require": ["exp", "iat", "sub", "aud", "iss"]},
            )
        except jwt.InvalidTokenError as error:
            raise SessionEndedError from error
        return int(claims["sid"])

    def csrf_token(self, session_id: int) -> str:
        """Return what the page proves itself with when it changes something in this session."""
        return self.signature("csrf tokens", str(session_id))

    def is_csrf_token(self, token: str, session_id: int) -> bool:
        """Say whether a token is that of a session."""
        return hmac.compare_digest(token.encode(), self.csrf_token(session_id).encode())

    def export_token(self, export_id: int, expires_at: datetime) -> str:
        """Return the token of a link to an export's file, good until then."""
        named = f"{export_id}.{int(expires_at.timestamp())}"
        return f"{named}.{self.signature('export links', named)}"

    def export_of(self, token: str) -> int | None:
        """Return the export to whose file a link leads, None where it is not ours or not good any more."""
        named, _, signature = token.rpartition(".")
        if not hmac.compare_digest(self.signature("export links", named).encode(), signature.encode()):
            return None
        export_id, _, until = named.partition(".")
        return int(export_id) if int(until) > utc_now().timestamp() else None

    def pseudonym(self, text: str) -> str:
        """Return what stands for a text where it must not be read, in keys of counters."""
        return self.signature("pseudonyms", text)[:32]

    def signature(self, purpose: str, text: str) -> str:
        """Return what proves that this installation wrote a text for a purpose."""
        return hmac.new(self._key(purpose), text.encode(), hashlib.sha256).hexdigest()

    def successor(self, token: str, prefix: str) -> str:
        """Return the token that follows another: always the same, and known to nobody who lacks our secret."""
        digest = hmac.new(self._key("successors"), token.encode(), hashlib.sha256).digest()
        return prefix + base62(int.from_bytes(digest, "big"))

    def encrypt(self, secret: str, purpose: EncryptedFor) -> bytes:
        """Return a secret as it is stored."""
        return self._fernet(purpose).encrypt(secret.encode())

    def decrypt(self, stored: bytes, purpose: EncryptedFor) -> str | None:
        """Return a stored secret; None where it was encrypted with another key."""
        try:
            return self._fernet(purpose).decrypt(stored).decode()
        except InvalidToken:
            return None

    def _key(self, purpose: str) -> bytes:
        return hmac.new(self._root, purpose.encode(), hashlib.sha256).digest()

    def _fernet(self, purpose: EncryptedFor) -> Fernet:
        return Fernet(base64.urlsafe_b64encode(self._key(purpose)))

    @cached_property
    def _root(self) -> bytes:
        given = self._settings.secret_key
        if given is not None:
            return given.get_secret_value().encode()
        return _kept_secret(self._settings.data_dir / "api-secret-key")


def _kept_secret(path: Path) -> bytes:
    """Read the secret of an installation that was given none, or draw it: readable by its owner alone.

    Of processes that start at once all take the one whose file is there first, and none reads half a file.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        own = path.with_name(f".{path.name}.{os.getpid()}.{random_token('')[:8]}.tmp")
        descriptor = os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(random_token("").encode())
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            path.hardlink_to(own)
        own.unlink()
    kept = path.read_bytes()
    if len(kept) < _SHORTEST:
        raise SecretMissingError(f"{path} has {len(kept)} characters, and it takes {_SHORTEST}. Was it written to?")
    return kept
