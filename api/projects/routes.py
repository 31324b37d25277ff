"""`/v1/projects`."""

from typing import Annotated

from fastapi import APIRouter, Depends

from api.access.principals import OrganisationAccess, ProjectAccess
from api.dependencies import ActingDep, ClientDep, PrincipalDep, ResourcesDep, organisation_for, project_access_for
from api.problems import CHANGE, ORGANISATION, UNAUTHENTICATED, UNAVAILABLE, UNKNOWN_PROJECT
from api.projects.schemas import NewProject, ProjectChange, ProjectList, ProjectSummary
from core.metadata import Project

router = APIRouter(prefix="/v1", tags=["projects"], responses=UNAUTHENTICATED | UNAVAILABLE)
_Makes = Annotated[OrganisationAccess, Depends(organisation_for("project:manage"))]
_Managed = Annotated[ProjectAccess, Depends(project_access_for("project:manage"))]


@router.get("/projects", operation_id="list_projects", summary="List projects")
async def list_projects(found: PrincipalDep, client: ClientDep) -> ProjectList:
    """Return the projects that whoever asks may see: an API key its own."""
    seen = [each.project for each in found.projects().values() if client.is_within(each.allowed_networks)]
    return ProjectList(projects=[_summary(project) for project in seen])


@router.post(
    "/organisations/{organisation_id}/projects",
    operation_id="create_project",
    summary="Make a project",
    responses=CHANGE | ORGANISATION,
    status_code=201,
)
async def create_project(body: NewProject, organisation: _Makes, by: ActingDep, held: ResourcesDep) -> ProjectSummary:
    """Make a project of the organisation; its keys are made apart."""
    return _summary(await held.projects.create(by, organisation, body))


@router.patch(
    "/projects/{project_id}",
    operation_id="change_project",
    summary="Change a project's settings",
    responses=CHANGE | UNKNOWN_PROJECT,
)
async def change_project(body: ProjectChange, project: _Managed, by: ActingDep, held: ResourcesDep) -> ProjectSummary:
    """Change what is given. Another zone or week is in the figures after the next refresh."""
    return _summary(await held.projects.change(by, project, body))


def _summary(project: Project) -> ProjectSummary:
    return ProjectSummary(id=project.id, name=project.name, timezone=project.timezone, week_start=project.week_start)
