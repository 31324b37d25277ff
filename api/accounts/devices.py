"""Browsers with which somebody signed in: a cookie tells each from others until he changes how he proves himself."""

from hmac import compare_digest

from api.accounts.secrets import Secrets
from core.metadata.accounts import User
from core.metadata.organisations import random_token


def device_token(secrets: Secrets, user: User) -> str:
    """Return what a browser is given in which somebody has shown who he is."""
    number = random_token("")
    return f"{number}.{_proof(secrets, number, user)}"


def is_device_of(secrets: Secrets, token: str, user: User) -> bool:
    """Say whether it was given to a browser of this account, whose password and second factor are as they were then."""
    number, _, proof = token.partition(".")
    return compare_digest(proof.encode(), _proof(secrets, number, user).encode())


def _proof(secrets: Secrets, number: str, user: User) -> str:
    # Both are drawn anew with every change: the hash has its own salt, and the secret is encrypted with its own nonce.
    factor = user.totp_secret if user.totp_enabled_at is not None and user.totp_secret is not None else b""
    return secrets.signature("devices", f"{number} {user.id} {user.password_hash} {factor.hex()}")
