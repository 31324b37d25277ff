"""Organisations, and who is asked to join them.

Like those of `core.metadata.projects` the functions take a blocking `Session` and do not commit.
"""

import hashlib
import secrets
import string
from collections.abc import Iterable
from datetime import timedelta
from ipaddress import ip_network
from typing import ClassVar

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session

from core.clock import utc_now
from core.errors import RadixError
from core.metadata.accounts import Invitation, Organisation, Role
from core.metadata.permissions import BUILT_IN, OWNER

INVITATION_LIVES = timedelta(days=7)
_BASE62 = string.digits + string.ascii_letters
_TOKEN_CHARACTERS = 40
_LONGEST_NAME = 200


class InvalidEmailError(RadixError):
    """A text is no e-mail address."""

    status: ClassVar[int] = 422
    code: ClassVar[str] = "invalid_email"
    title: ClassVar[str] = "The e-mail address is not valid"


class InvalidNameError(RadixError):
    """A name is empty or too long."""

    status: ClassVar[int] = 422
    code: ClassVar[str] = "invalid_name"
    title: ClassVar[str] = "The name is not valid"


class InvalidNetworkError(RadixError):
    """A text is no range of addresses."""

    status: ClassVar[int] = 422
    code: ClassVar[str] = "invalid_network"
    title: ClassVar[str] = "The range of addresses is not valid"


class UnknownRoleError(RadixError):
    """The organisation has no such role."""

    status: ClassVar[int] = 404
    code: ClassVar[str] = "unknown_role"
    title: ClassVar[str] = "There is no such role"


def create_organisation(session: Session, name: str) -> Organisation:
    """Store a new organisation with the roles that every one has; raises `InvalidNameError`."""
    organisation = Organisation(name=checked_name(name))
    session.add(organisation)
    session.flush()
    session.add_all(Role(organisation_id=organisation.id, name=role) for role in BUILT_IN)
    session.flush()
    return organisation


def first_organisation(session: Session) -> Organisation:
    """Return the oldest organisation: where projects belong that were made on the machine itself."""
    found = session.scalars(select(Organisation).order_by(Organisation.id).limit(1)).one_or_none()
    return found or create_organisation(session, "First organisation")


def role_named(session: Session, organisation_id: int, name: str) -> Role:
    """Return a role of an organisation; raises `UnknownRoleError`."""
    named = select(Role).where(Role.organisation_id == organisation_id, Role.name == name)
    role = session.scalars(named).one_or_none()
    if role is None:
        raise UnknownRoleError(f"There is no role {name!r}; every organisation has {', '.join(BUILT_IN)}.")
    return role


def invite(
    session: Session, organisation_id: int, email: str, role: Role | None, *, invited_by: int | None, is_mailed: bool
) -> tuple[Invitation, str]:
    """Store an invitation and return it with its token: `ri_` and 40 base62 characters, which are kept nowhere.

    It is good for seven days. `is_mailed` says that the token is shown to nobody but whoever reads the mail.
    """
    token = random_token("ri_")
    invitation = Invitation(
        organisation_id=organisation_id,
        email=normal_email(email),
        role_id=None if role is None else role.id,
        token_hash=token_hash(token),
        invited_by=invited_by,
        is_mailed=is_mailed,
        expires_at=utc_now() + INVITATION_LIVES,
    )
    session.add(invitation)
    session.flush()
    return invitation, token


def normal_email(text: str) -> str:
    """Return an e-mail address as accounts have it: normalised, lower case. Raises `InvalidEmailError`."""
    try:
        return validate_email(text, check_deliverability=False).normalized.lower()
    except EmailNotValidError as error:
        raise InvalidEmailError(f"{text[:100]!r} is no e-mail address: {error}") from error


def known_form(text: str) -> str:
    """Return an address as accounts have it; one that is none is nobody's."""
    try:
        return normal_email(text.strip())
    except InvalidEmailError:
        return text.strip().lower()


def is_owner() -> ColumnElement[bool]:
    """Return the condition under which a role is the one of owners."""
    return and_(Role.name == OWNER, Role.permissions.is_(None))


def checked_name(name: str) -> str:
    """Return a name without spaces around it; raises `InvalidNameError` where nothing or too much is left."""
    stripped = name.strip()
    if not stripped or len(stripped) > _LONGEST_NAME or not stripped.isprintable():
        raise InvalidNameError(f"A name has 1 to {_LONGEST_NAME} printable characters.")
    return stripped


def checked_networks(networks: Iterable[str]) -> list[str]:
    """Return ranges of addresses in one way of writing, as `192.0.2.0/24`; raises `InvalidNetworkError`."""
    found: set[str] = set()
    for text in networks:
        try:
            found.add(str(ip_network(text.strip())))
        except ValueError as error:
            raise InvalidNetworkError(
                f"{text[:100]!r} is no range of addresses such as 192.0.2.0/24: {error}"
            ) from error
    return sorted(found)


def random_token(prefix: str) -> str:
    """Return a new secret: the prefix that tells what it is for, and 238 random bits."""
    return prefix + "".join(secrets.choice(_BASE62) for _ in range(_TOKEN_CHARACTERS))


def base62(number: int) -> str:
    """Return the last 238 bits of a number, as the characters of a token."""
    digits = [_BASE62[number // 62**place % 62] for place in range(_TOKEN_CHARACTERS)]
    return "".join(digits)


def token_hash(token: str) -> str:
    """Return what is stored of a secret that was drawn at random: it needs no salt and no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()
