"""What a request is given: the process's resources, who asks, and what he may do with the project that he asks for."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Path
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import HTTPConnection

from api.access.principals import Acting, Client, OrganisationAccess, Principal, ProjectAccess, UserPrincipal
from api.errors import (
    AddressNotAllowedError,
    ApiKeyInvalidError,
    ApiKeyMissingError,
    CsrfTokenInvalidError,
    OrganisationNotFoundError,
    PermissionMissingError,
    ProjectNotFoundError,
    SignInNeededError,
)
from api.resources import Resources
from core.metadata import Project
from core.metadata.audit import Actor
from core.metadata.permissions import Permission

bearer = HTTPBearer(
    scheme_name="Bearer",
    bearerFormat="rk_ and 40 letters or digits, or a JSON Web Token",
    description="An API key of the project (`Authorization: Bearer rk_…`), or the access token of a program.",
    auto_error=False,
)
_cookie = APIKeyCookie(
    scheme_name="Session", name="radixinsight", description="The cookie that POST /v1/sign-in sets.", auto_error=False
)
# It is kept with sessions and in the audit log.
_LONGEST_USER_AGENT = 500
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
# By these somebody reads data.
_TRACED: frozenset[Permission] = frozenset({"data:query", "persons:read", "data:export", "sql:query"})


def resources(connection: HTTPConnection) -> Resources:
    """Return what this process holds."""
    held: Resources = connection.app.state.resources
    return held


ResourcesDep = Annotated[Resources, Depends(resources)]


def client(request: HTTPConnection) -> Client:
    """Return where the request comes from."""
    user_agent = request.headers.get("user-agent")
    return Client(request.client.host if request.client else None, user_agent and user_agent[:_LONGEST_USER_AGENT])


ClientDep = Annotated[Client, Depends(client)]


async def principal(
    request: HTTPConnection,
    held: ResourcesDep,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    _: Annotated[str | None, Depends(_cookie)],
) -> Principal:
    """Return who asks: an API key, a program by its access token, or whoever's browser sent the session's cookie."""
    if credentials is not None:
        if credentials.credentials.startswith(("rk_", "wk_")) or credentials.credentials.count(".") != 2:  # noqa: PLR2004 - the parts of a JSON Web Token
            return await held.access.of_key(credentials.credentials)
        return await held.access.of_program(held.secrets.session_of(credentials.credentials))
    if "authorization" in request.headers:
        raise ApiKeyInvalidError
    cookie = request.cookies.get(held.settings.cookie_name)
    if cookie is None:
        raise ApiKeyMissingError
    found = await held.access.of_browser(cookie)
    if request.scope.get("method", "GET") not in _SAFE:
        token = request.headers.get("x-csrf-token", "")
        if not held.secrets.is_csrf_token(token, found.session_id):
            raise CsrfTokenInvalidError
    return found


PrincipalDep = Annotated[Principal, Depends(principal)]


async def user(found: PrincipalDep) -> UserPrincipal:
    """Return who is signed in; raises `SignInNeededError` for an API key."""
    if not isinstance(found, UserPrincipal):
        raise SignInNeededError("This is a person's: an API key cannot ask for it. Sign in, or POST /v1/tokens.")
    return found


UserDep = Annotated[UserPrincipal, Depends(user)]


async def acting(found: UserDep, client: ClientDep) -> Acting:
    """Return who is signed in, and from where."""
    return Acting(found, client)


ActingDep = Annotated[Acting, Depends(acting)]
_ProjectId = Annotated[int, Path(ge=1, le=2**32 - 1, examples=[1])]
_OrganisationId = Annotated[int, Path(ge=1, le=2**31 - 1, examples=[1])]


def demand_project(
    found: Principal,
    project_id: int,
    permission: Permission,
    request: HTTPConnection,
    held: Resources,
    *,
    is_noted: bool = True,
) -> ProjectAccess:
    """Return a project that somebody asks for, and note it; raises what keeps him from it.

    Every id of a project that he may not see, real or not, is unknown to him.
    """
    access, where = found.projects().get(project_id), client(request)
    if access is None:
        raise ProjectNotFoundError(project_id)
    _demand(permission, access, where)
    if is_noted and permission in _TRACED:
        held.trail.note_access(found.actor(where), permission, request, access.project)
    return access


def project_access_for(permission: Permission) -> Callable[..., Awaitable[ProjectAccess]]:
    """Return the dependency that gives the project of the path to whoever has a permission in it."""

    async def project_access(
        request: HTTPConnection, found: PrincipalDep, held: ResourcesDep, project_id: _ProjectId
    ) -> ProjectAccess:
        return demand_project(found, project_id, permission, request, held)

    return project_access


class Asking:
    """Somebody who may ask something of a project, which is noted once it is known what he asks."""

    def __init__(self, access: ProjectAccess, actor: Actor, request: HTTPConnection, held: Resources) -> None:
        self.access = access
        self._actor = actor
        self._request = request
        self._held = held

    def note(self, permission: Permission, question: object, text: str) -> None:
        """Note a question, by a digest of all of it and a text without values; see `api.audit.questions`."""
        asked = {"digest": self._held.secrets.pseudonym(f"question {question!r}"), "text": text}
        self._held.trail.note_access(self._actor, permission, self._request, self.access.project, asked)


def asking_for(permission: Permission) -> Callable[..., Awaitable[Asking]]:
    """Return the dependency that is `project_access_for` of an operation whose question stands in the body.

    The operation itself notes the access, by `Asking.note`.
    """

    async def asking(
        request: HTTPConnection, found: PrincipalDep, held: ResourcesDep, project_id: _ProjectId
    ) -> Asking:
        access = demand_project(found, project_id, permission, request, held, is_noted=False)
        return Asking(access, found.actor(client(request)), request, held)

    return asking


def project_for(permission: Permission) -> Callable[..., Awaitable[Project]]:
    """Return the dependency that gives the project itself; see `project_access_for`."""

    async def project(access: Annotated[ProjectAccess, Depends(project_access_for(permission))]) -> Project:
        return access.project

    return project


def organisation_for(permission: Permission | None) -> Callable[..., Awaitable[OrganisationAccess]]:
    """Return the dependency that gives the organisation of the path to whoever has a permission in it.

    None: to every member.
    """

    async def organisation(found: UserDep, client: ClientDep, organisation_id: _OrganisationId) -> OrganisationAccess:
        access = found.organisations.get(organisation_id)
        if access is None:
            raise OrganisationNotFoundError(organisation_id)
        _demand(permission, access, client)
        return access

    return organisation


ProjectDep = Annotated[Project, Depends(project_for("data:query"))]


def _demand(permission: Permission | None, access: ProjectAccess | OrganisationAccess, client: Client) -> None:
    if not client.is_within(access.allowed_networks):
        raise AddressNotAllowedError(client.address)
    if permission is not None and permission not in access.permissions:
        raise PermissionMissingError(permission)
