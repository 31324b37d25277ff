"""Makes and changes projects, each change with its entry in the audit log."""

from api.access.principals import Acting, OrganisationAccess, ProjectAccess
from api.access.service import Access
from api.projects.schemas import NewProject, ProjectChange
from core.metadata import Project
from core.metadata.audit import Target, entry
from core.metadata.projects import change_project, create_project
from core.metadata.tenancy import Database


class Projects:
    """Projects, by a member who may manage them. Raises `UnavailableError` without PostgreSQL."""

    def __init__(self, database: Database, access: Access) -> None:
        self._database = database
        self._access = access

    async def create(self, by: Acting, where: OrganisationAccess, wanted: NewProject) -> Project:
        """Make a project; raises `InvalidProjectError`."""
        async with self._database.of_organisation(where.id) as session:
            made = await session.run_sync(create_project, **wanted.model_dump(), organisation_id=where.id)
            said = Target("project", made.id, wanted.model_dump())
            session.add(entry(by.actor, "project.created", said, organisation_id=where.id, project_id=made.id))
        self._access.forget()
        return made

    async def change(self, by: Acting, of: ProjectAccess, wanted: ProjectChange) -> Project:
        """Change what is given; raises `InvalidProjectError`."""
        changed = wanted.model_dump(exclude_none=True)
        async with self._database.of_project(of.project) as session:
            project = await session.get_one(Project, of.project.id, with_for_update=True)
            before = {name: getattr(project, name) for name in changed}
            change_project(project, **changed)
            if before == {name: getattr(project, name) for name in changed}:
                return project
            said = Target("project", project.id, {"before": before, "after": changed})
            organisation_id = project.organisation_id
            session.add(
                entry(by.actor, "project.changed", said, organisation_id=organisation_id, project_id=project.id)
            )
        self._access.forget()
        return project
