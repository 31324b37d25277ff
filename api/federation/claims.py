"""What a provider says of somebody."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Claims:
    """Whom a provider means. Its answer was checked; whether its word counts for the address was not."""

    subject: str
    """By what the provider always names him."""
    email: str | None
    is_email_proven: bool
    """The provider says that the address is his. SAML has no word for it: there it says all that it says."""
    name: str | None
