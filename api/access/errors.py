"""Why somebody is not let in, or may not do what he asks for."""

from collections.abc import Iterable
from typing import ClassVar

from core.errors import RadixError


class ApiKeyMissingError(RadixError):
    """The request carries no API key, and nobody is signed in."""

    status: ClassVar[int] = 401
    code: ClassVar[str] = "api_key_missing"
    title: ClassVar[str] = "An API key is needed"

    def __init__(self) -> None:
        super().__init__(
            "Send the project's API key as `Authorization: Bearer rk_…`, or sign in.",
            headers={"WWW-Authenticate": "Bearer"},
        )


class ApiKeyInvalidError(RadixError):
    """The API key is malformed, unknown, expired or revoked; which of them is not said."""

    status: ClassVar[int] = 401
    code: ClassVar[str] = "api_key_invalid"
    title: ClassVar[str] = "The API key is not valid"

    def __init__(
        self,
        detail: str = "This API key is unknown, has expired or was revoked. `radixinsight project` prints one.",
    ) -> None:
        super().__init__(
            detail,
            headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
        )


class SignInNeededError(RadixError):
    """What is asked for is a person's, and nobody is signed in."""

    status: ClassVar[int] = 401
    code: ClassVar[str] = "sign_in_needed"
    title: ClassVar[str] = "Somebody has to sign in"

    def __init__(self, detail: str = "Sign in first: POST /v1/sign-in, or POST /v1/tokens for a program.") -> None:
        super().__init__(detail, headers={"WWW-Authenticate": "Bearer"})


class SessionEndedError(RadixError):
    """The session or token is unknown, has expired or was ended; which of them is not said."""

    status: ClassVar[int] = 401
    code: ClassVar[str] = "session_ended"
    title: ClassVar[str] = "The session has ended"

    def __init__(self) -> None:
        super().__init__("Sign in again.", headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})


class SessionNotFoundError(RadixError):
    """There is no such session of one's own."""

    status: ClassVar[int] = 404
    code: ClassVar[str] = "session_not_found"
    title: ClassVar[str] = "No such session"

    def __init__(self, session_id: int) -> None:
        super().__init__(f"You have no live session {session_id}. GET /v1/me/sessions lists yours.")


class TooPowerfulError(RadixError):
    """Somebody would give or take away more than he may do himself."""

    status: ClassVar[int] = 403
    code: ClassVar[str] = "too_powerful"
    title: ClassVar[str] = "Nobody gives or takes more than he has"

    def __init__(self, permissions: Iterable[str]) -> None:
        missing = sorted(permissions)
        super().__init__(f"It takes permissions that you lack yourself: {', '.join(missing)}.", permissions=missing)


class CsrfTokenInvalidError(RadixError):
    """A browser's request to change something does not prove that the page itself sent it."""

    status: ClassVar[int] = 403
    code: ClassVar[str] = "csrf_token_invalid"
    title: ClassVar[str] = "The request does not come from the page"

    def __init__(self) -> None:
        super().__init__("Send the `csrf_token` of GET /v1/me as the header X-CSRF-Token.")


class PermissionMissingError(RadixError):
    """Whoever asks may not do this; `permission` names what he lacks."""

    status: ClassVar[int] = 403
    code: ClassVar[str] = "permission_missing"
    title: ClassVar[str] = "This is not permitted"

    def __init__(self, permission: str) -> None:
        super().__init__(
            f"This takes the permission {permission}: a member has it by role or grant, an API key by its scopes.",
            permission=permission,
        )


class AddressNotAllowedError(RadixError):
    """The organisation may not be reached from this address."""

    status: ClassVar[int] = 403
    code: ClassVar[str] = "address_not_allowed"
    title: ClassVar[str] = "Not from this address"

    def __init__(self, address: str | None) -> None:
        super().__init__(f"The organisation allows certain networks, and {address or 'an unknown address'} is in none.")


class OrganisationNotFoundError(RadixError):
    """Whoever asks is a member of no such organisation, whether or not it exists."""

    status: ClassVar[int] = 404
    code: ClassVar[str] = "organisation_not_found"
    title: ClassVar[str] = "No such organisation"

    def __init__(self, organisation_id: int) -> None:
        super().__init__(f"You are a member of no organisation {organisation_id}. GET /v1/organisations lists yours.")


class ProjectNotFoundError(RadixError):
    """Whoever asks may see no project of this id, whether or not another tenant has one."""

    status: ClassVar[int] = 404
    code: ClassVar[str] = "project_not_found"
    title: ClassVar[str] = "No such project"

    def __init__(self, project_id: int) -> None:
        super().__init__(
            f"There is no project {project_id} that you may see. GET /v1/projects lists those that you may."
        )
