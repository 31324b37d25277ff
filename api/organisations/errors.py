"""What cannot be done in an organisation."""

from typing import ClassVar

from core.errors import RadixError


class LastOwnerError(RadixError):
    """An organisation would have no owner."""

    status: ClassVar[int] = 409
    code: ClassVar[str] = "last_owner"
    title: ClassVar[str] = "An organisation needs an owner"

    def __init__(self) -> None:
        super().__init__("This is the only owner: make somebody else one first.")


class LockedOutError(RadixError):
    """Whoever allows certain networks would be in none of them."""

    status: ClassVar[int] = 409
    code: ClassVar[str] = "locked_out"
    title: ClassVar[str] = "You would lock yourself out"

    def __init__(self, address: str | None) -> None:
        super().__init__(f"Your own address, {address or 'which is unknown'}, is in none of these networks.")


class NoProviderError(RadixError):
    """Members would have to sign in by a provider, and there is none."""

    status: ClassVar[int] = 409
    code: ClassVar[str] = "no_provider"
    title: ClassVar[str] = "There is no identity provider"

    def __init__(self) -> None:
        super().__init__("Add an identity provider first, and sign in by it once.")


class TooManyInvitationsError(RadixError):
    """A member invited as many within a day as he may; the header Retry-After says when he may again."""

    status: ClassVar[int] = 429
    code: ClassVar[str] = "too_many_invitations"
    title: ClassVar[str] = "Too many invitations"

    def __init__(self, most: int, seconds: int) -> None:
        super().__init__(
            f"One member makes {most} invitations a day at most (RADIXINSIGHT_API_INVITATIONS_PER_DAY).",
            headers={"Retry-After": str(max(1, seconds))},
        )
