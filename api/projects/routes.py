"""`/v1/projects`."""

from fastapi import APIRouter

from api.dependencies import KeyProjectDep
from api.problems import UNAUTHENTICATED, UNAVAILABLE
from api.projects.schemas import ProjectList, ProjectSummary

router = APIRouter(prefix="/v1/projects", tags=["projects"])


@router.get("", operation_id="list_projects", summary="List projects", responses=UNAUTHENTICATED | UNAVAILABLE)
async def list_projects(project: KeyProjectDep) -> ProjectList:
    """Return the projects that the API key may see."""
    summary = ProjectSummary(id=project.id, name=project.name, timezone=project.timezone, week_start=project.week_start)
    return ProjectList(projects=[summary])
