"""Why a visit to an identity provider does not end in a session."""

from typing import ClassVar

from core.errors import RadixError


class ProviderUnavailableError(RadixError):
    """The provider cannot be reached, or does not say what it has to."""

    status: ClassVar[int] = 502
    code: ClassVar[str] = "provider_unavailable"
    title: ClassVar[str] = "The identity provider does not answer"

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason} Try again later; owners can sign in with their password.")


class ProviderInvalidError(RadixError):
    """What was said of a provider cannot be worked with."""

    status: ClassVar[int] = 422
    code: ClassVar[str] = "provider_invalid"
    title: ClassVar[str] = "The identity provider cannot be used like this"


class ProviderAnswerInvalidError(RadixError):
    """What came back is not what the provider says of somebody who signs in here, now."""

    status: ClassVar[int] = 401
    code: ClassVar[str] = "provider_answer_invalid"
    title: ClassVar[str] = "The identity provider's answer does not count"

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason} Begin again: GET /v1/sign-in/providers/{{provider_id}}/start.")


class VisitUnknownError(RadixError):
    """The visit to the provider was begun by another browser, has ended already, or took too long."""

    status: ClassVar[int] = 404
    code: ClassVar[str] = "sign_in_unknown"
    title: ClassVar[str] = "This signing in is not known"

    def __init__(self) -> None:
        super().__init__(
            "It was begun in another browser, has ended already, or took more than ten minutes. Begin again."
        )


class ProviderNotFoundError(RadixError):
    """There is no such identity provider."""

    status: ClassVar[int] = 404
    code: ClassVar[str] = "provider_not_found"
    title: ClassVar[str] = "No such identity provider"

    def __init__(self, provider_id: int) -> None:
        super().__init__(
            f"There is no identity provider {provider_id}. POST /v1/sign-in/providers tells which one an address has."
        )


class NotAdmittedError(RadixError):
    """The provider says who it is, and that does not let him in."""

    status: ClassVar[int] = 403
    code: ClassVar[str] = "not_admitted"
    title: ClassVar[str] = "The organisation does not let you in"
