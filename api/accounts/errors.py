"""What can go wrong with accounts, whoever they are proved to."""

from typing import ClassVar

from core.errors import RadixError


class SignInFailedError(RadixError):
    """The address is unknown or the password wrong; which of them is not said."""

    status: ClassVar[int] = 401
    code: ClassVar[str] = "sign_in_failed"
    title: ClassVar[str] = "Signing in failed"

    def __init__(self) -> None:
        super().__init__("The e-mail address or the password is wrong.")


class PasswordSignInNeededError(RadixError):
    """Somebody came by an organisation's identity provider and asks for what is his account's, in all organisations."""

    status: ClassVar[int] = 403
    code: ClassVar[str] = "password_sign_in_needed"
    title: ClassVar[str] = "This takes a sign-in with the password"

    def __init__(self) -> None:
        super().__init__(
            "An organisation's login is good for that organisation alone. For your account, your other sessions and "
            "other organisations sign in with the password, POST /v1/sign-in; if you have none, POST "
            "/v1/password-resets mails you a link to choose one."
        )


class LinkInvalidError(RadixError):
    """The token of a link is unknown, was used, has expired, or is meant for somebody else."""

    status: ClassVar[int] = 404
    code: ClassVar[str] = "link_invalid"
    title: ClassVar[str] = "The link is not valid"

    def __init__(self) -> None:
        super().__init__("The link was used already, has expired, or is not meant for this account. Ask for a new one.")


class AccountExistsError(RadixError):
    """Whoever was invited has an account."""

    status: ClassVar[int] = 409
    code: ClassVar[str] = "account_exists"
    title: ClassVar[str] = "There is an account already"

    def __init__(self) -> None:
        super().__init__("Sign in with this address, then send the invitation to POST /v1/invitations/accept.")


class OnlyOwnerError(RadixError):
    """Whoever deletes his account is the only owner of an organisation."""

    status: ClassVar[int] = 409
    code: ClassVar[str] = "only_owner"
    title: ClassVar[str] = "An organisation would have no owner"

    def __init__(self, organisation_id: int) -> None:
        super().__init__(
            f"You are the only owner of organisation {organisation_id}: make somebody else one first, or delete it."
        )
