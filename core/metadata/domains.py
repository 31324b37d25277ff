"""Domains of e-mail addresses for which an organisation's identity providers speak.

They are given by whoever runs the installation: an owner who could take a domain himself could let his own provider
sign in as everybody who has an address there. The functions take a blocking `Session` and do not commit.
"""

import re
from typing import ClassVar

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import RadixError
from core.metadata.accounts import Organisation
from core.metadata.audit import OPERATOR, Target, entry
from core.metadata.identity import EmailDomain

_DOMAIN = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")


class InvalidDomainError(RadixError):
    """A text is no domain, or not one that can be given or taken."""

    status: ClassVar[int] = 422
    code: ClassVar[str] = "invalid_domain"
    title: ClassVar[str] = "The domain is not valid"


def normal_domain(text: str) -> str:
    """Return a domain in the one form in which domains are kept and compared; raises `InvalidDomainError`.

    That is the ASCII of IDNA 2008 (`xn--mnchen-3ya.example`), in which names that merely look alike are different.
    """
    given = text.strip().removeprefix("@")
    try:
        domain = validate_email(f"x@{given}", check_deliverability=False).ascii_domain
    except EmailNotValidError as error:
        raise InvalidDomainError(f"{text[:100]!r} is no domain such as example.com: {error}") from error
    if not _DOMAIN.fullmatch(domain):
        raise InvalidDomainError(f"{text[:100]!r} is no domain such as example.com.")
    return domain


def give_domain(session: Session, organisation: Organisation, text: str) -> str:
    """Give a domain to an organisation, and return it as it is kept; raises `InvalidDomainError`."""
    domain = normal_domain(text)
    found = session.get(EmailDomain, domain)
    if found is not None:
        raise InvalidDomainError(f"Organisation {found.organisation_id} has the domain {domain} already.")
    session.add(EmailDomain(organisation_id=organisation.id, domain=domain))
    said = Target("email_domain", domain)
    session.add(entry(OPERATOR, "email_domain.given", said, organisation_id=organisation.id))
    session.flush()
    return domain


def take_domain(session: Session, text: str) -> None:
    """Take a domain from whoever has it: nobody signs in by a provider with it any more."""
    found = session.get(EmailDomain, normal_domain(text))
    if found is None:
        raise InvalidDomainError(f"No organisation has the domain {text[:100]!r}.")
    said = Target("email_domain", found.domain)
    session.add(entry(OPERATOR, "email_domain.taken", said, organisation_id=found.organisation_id))
    session.delete(found)
    session.flush()


def list_domains(session: Session) -> list[EmailDomain]:
    """Return all domains, by name."""
    return list(session.scalars(select(EmailDomain).order_by(EmailDomain.domain)))
