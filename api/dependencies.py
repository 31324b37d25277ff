"""What a request is given: the process's resources, who asks, and what he may do with the project that he asks for."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import Depends, Path, Request
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import HTTPConnection

from api.access.errors import (
    AddressNotAllowedError,
    ApiKeyInvalidError,
    ApiKeyMissingError,
    CsrfTokenInvalidError,
    OrganisationNotFoundError,
    PermissionMissingError,
    ProjectNotFoundError,
    SignInNeededError,
)
from api.access.principals import (
    Acting,
    Client,
    DashboardAccess,
    OrganisationAccess,
    Principal,
    ProjectAccess,
    UserPrincipal,
)
from api.accounts.errors import PasswordSignInNeededError
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


# FastAPI calls a dependency that is not async in a thread, which takes longer than all that this one does.
async def resources(connection: HTTPConnection) -> Resources:
    """Return what this process holds."""
    held: Resources = connection.app.state.resources
    return held


ResourcesDep = Annotated[Resources, Depends(resources)]


async def client(request: HTTPConnection) -> Client:
    """Return where the request comes from."""
    return client_of(request)


def client_of(request: HTTPConnection) -> Client:
    """Return the same to who is no dependency."""
    user_agent = request.headers.get("user-agent")
    return Client(request.client.host if request.client else None, user_agent and user_agent[:_LONGEST_USER_AGENT])


ClientDep = Annotated[Client, Depends(client)]


async def principal(
    request: HTTPConnection,
    held: ResourcesDep,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    _: Annotated[str | None, Depends(_cookie)],
) -> Principal:
    """Return who asks: an API key, a program by its access token, or whoever's browser sent the session's cookie.

    What a person may change is looked up anew. Who was removed in another process could make himself a key or send
    himself an invitation, which would outlive the seconds for which the answer of before is believed.
    """
    is_safe = request.scope.get("method", "GET") in _SAFE
    if credentials is not None:
        if credentials.credentials.startswith(("rk_", "wk_")) or credentials.credentials.count(".") != 2:  # noqa: PLR2004 - the parts of a JSON Web Token
            return await held.access.of_key(credentials.credentials)
        return await held.access.of_program(held.secrets.session_of(credentials.credentials), anew=not is_safe)
    if "authorization" in request.headers:
        raise ApiKeyInvalidError
    cookie = request.cookies.get(held.settings.cookie_name)
    if cookie is None:
        raise ApiKeyMissingError
    found = await held.access.of_browser(cookie, anew=not is_safe)
    if not is_safe:
        token = request.headers.get("x-csrf-token", "")
        if not held.secrets.is_csrf_token(token, found.session_id):
            raise CsrfTokenInvalidError
    return found


PrincipalDep = Annotated[Principal, Depends(principal)]


async def actor(found: PrincipalDep, client: ClientDep) -> Actor:
    """Return whoever asks, a key or a person, as the audit log names him."""
    return found.actor(client)


ActorDep = Annotated[Actor, Depends(actor)]


async def user(found: PrincipalDep) -> UserPrincipal:
    """Return who is signed in; raises `SignInNeededError` for an API key."""
    if not isinstance(found, UserPrincipal):
        raise SignInNeededError("This is a person's: an API key cannot ask for it. Sign in, or POST /v1/tokens.")
    return found


UserDep = Annotated[UserPrincipal, Depends(user)]


async def account_holder(found: UserDep) -> UserPrincipal:
    """Return who signed in with his password; raises `PasswordSignInNeededError` for who came by a provider."""
    if found.provider_id is not None:
        raise PasswordSignInNeededError
    return found


AccountHolderDep = Annotated[UserPrincipal, Depends(account_holder)]


async def acting(found: UserDep, client: ClientDep) -> Acting:
    """Return who is signed in, and from where."""
    return Acting(found, client)


ActingDep = Annotated[Acting, Depends(acting)]
_ProjectId = Annotated[int, Path(ge=1, le=2**32 - 1, examples=[1])]
ObjectId = Annotated[int, Path(ge=1, le=2**31 - 1, examples=[1], description="Of something saved.")]
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
    access = found.projects().get(project_id)
    if access is None:
        raise ProjectNotFoundError(project_id)
    return _demanded(found, access, permission, request, held, is_noted=is_noted)


def project_access_for(permission: Permission) -> Callable[..., Awaitable[ProjectAccess]]:
    """Return the dependency that gives the project of the path to whoever has a permission in it."""

    async def project_access(
        request: HTTPConnection, found: PrincipalDep, held: ResourcesDep, project_id: _ProjectId
    ) -> ProjectAccess:
        return demand_project(found, project_id, permission, request, held)

    return project_access


@dataclass(frozen=True, slots=True)
class Asking:
    """A question about one project: who asks it, and what he may see of it."""

    request: Request
    principal: Principal
    held: Resources
    access: ProjectAccess

    def demand(self, permission: Permission) -> None:
        """Refuse the question to who lacks a further permission, and note it with that."""
        _demanded(self.principal, self.access, permission, self.request, self.held)

    def note(self, permission: Permission, question: object, text: str) -> None:
        """Refuse a question to who lacks the permission that it takes, and note what is asked.

        That is a digest of all of it and a text without values; see `api.audit.questions`.
        """
        _demanded(self.principal, self.access, permission, self.request, self.held, is_noted=False)
        asked = {"digest": self.held.secrets.pseudonym(f"question {question!r}"), "text": text}
        by = self.principal.actor(client_of(self.request))
        self.held.trail.note_access(by, permission, self.request, self.access.project, asked)


def asking_for(permission: Permission, *, is_noted: bool = True) -> Callable[..., Awaitable[Asking]]:
    """Return the dependency that gives a question to whoever has a permission in its project.

    Where the question stands in the body, the operation itself notes it, by `Asking.note`.
    """

    async def asking(request: Request, found: PrincipalDep, held: ResourcesDep, project_id: _ProjectId) -> Asking:
        access = demand_project(found, project_id, permission, request, held, is_noted=is_noted)
        return Asking(request, found, held, access)

    return asking


AskingDep = Annotated[Asking, Depends(asking_for("data:query"))]


def project_for(permission: Permission) -> Callable[..., Awaitable[Project]]:
    """Return the dependency that gives the project itself; see `project_access_for`."""

    async def project(access: Annotated[ProjectAccess, Depends(project_access_for(permission))]) -> Project:
        return access.project

    return project


async def _access_in_part(found: PrincipalDep, project_id: _ProjectId) -> ProjectAccess:
    """Return a project of which somebody sees a dashboard at least, before anything is said of the dashboard's id."""
    access = found.with_dashboards().get(project_id)
    if access is None:
        raise ProjectNotFoundError(project_id)
    return access


def dashboard_access_for(permission: Permission, *, is_noted: bool = True) -> Callable[..., Awaitable[DashboardAccess]]:
    """Return the dependency that gives the dashboard of the path to whoever has a permission for it.

    He has it in the project, or it was granted to him for this dashboard.
    """

    async def dashboard_access(
        request: HTTPConnection,
        found: PrincipalDep,
        held: ResourcesDep,
        access: Annotated[ProjectAccess, Depends(_access_in_part)],
        object_id: ObjectId,
    ) -> DashboardAccess:
        granted = access.dashboards.get(object_id)
        if granted is None and access.project.id not in found.projects():
            raise ProjectNotFoundError(access.project.id)
        permissions = access.permissions | (granted or frozenset())
        _demanded(found, replace(access, permissions=permissions), permission, request, held, is_noted=is_noted)
        return DashboardAccess(access.project, access.allowed_networks, permissions, access.permissions)

    return dashboard_access


async def asking_dashboard(
    request: Request,
    found: PrincipalDep,
    held: ResourcesDep,
    access: Annotated[DashboardAccess, Depends(dashboard_access_for("data:query", is_noted=False))],
) -> Asking:
    """Return a question that a dashboard asks; the operation notes it, by `Asking.note`.

    Who may put any question onto the dashboard sees of its answers what he may see in the project.
    """
    permissions = access.in_project if "insights:write" in access.in_project else access.permissions
    return Asking(request, found, held, ProjectAccess(access.project, access.allowed_networks, permissions))


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


def _demanded(
    found: Principal,
    access: ProjectAccess,
    permission: Permission,
    request: HTTPConnection,
    held: Resources,
    *,
    is_noted: bool = True,
) -> ProjectAccess:
    where = client_of(request)
    _demand(permission, access, where)
    if is_noted and permission in _TRACED:
        held.trail.note_access(found.actor(where), permission, request, access.project)
    return access


def _demand(permission: Permission | None, access: ProjectAccess | OrganisationAccess, client: Client) -> None:
    if not client.is_within(access.allowed_networks):
        raise AddressNotAllowedError(client.address)
    if permission is not None and permission not in access.permissions:
        raise PermissionMissingError(permission)
