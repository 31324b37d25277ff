"""What a request is given: the process's resources, and the project that its key may see."""

from typing import Annotated

from fastapi import Depends, Path
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import HTTPConnection

from api.errors import ApiKeyInvalidError, ApiKeyMissingError, ProjectNotFoundError
from api.resources import Resources
from core.metadata import Project

bearer = HTTPBearer(
    scheme_name="ApiKey",
    bearerFormat="rk_ and 40 letters or digits",
    description="An API key of the project: `Authorization: Bearer rk_…`.",
    auto_error=False,
)


def resources(connection: HTTPConnection) -> Resources:
    """Return what this process holds."""
    held: Resources = connection.app.state.resources
    return held


ResourcesDep = Annotated[Resources, Depends(resources)]


async def key_project(
    connection: HTTPConnection,
    held: ResourcesDep,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> Project:
    """Return the project of the request's API key."""
    if credentials is None:
        if "authorization" in connection.headers:
            raise ApiKeyInvalidError
        raise ApiKeyMissingError
    return await held.keys.project_of(credentials.credentials)


KeyProjectDep = Annotated[Project, Depends(key_project)]


async def requested_project(
    project: KeyProjectDep, project_id: Annotated[int, Path(ge=1, le=2**32 - 1, examples=[1])]
) -> Project:
    """Return the project of the path, if the key may see it: every other id, real or not, is unknown."""
    if project.id != project_id:
        raise ProjectNotFoundError(project_id)
    return project


ProjectDep = Annotated[Project, Depends(requested_project)]
