"""Saves cohorts under the names by which query documents name them."""

from api.queries.naming import Naming
from api.queries.reading import invalid_at, invalid_document, read_part
from api.saved.contents import CohortContent
from api.saved.service import Saved
from core.insights.faults import Fault
from core.metadata import Project
from core.metadata.audit import Actor
from core.metadata.saved import SavedObject
from core.problem import InvalidRequestError

_QUERY = ("query",)
_WHO = ("kind", "who")


class Cohorts:
    """The saved cohorts of one project. What does not fit is refused: `InvalidRequestError`."""

    def __init__(self, saved: Saved, naming: Naming) -> None:
        self._saved = saved
        self._naming = naming

    async def find(self, project: Project, cohort_id: int) -> SavedObject:
        """Return one cohort; raises `NotFoundError`."""
        return await self._saved.find(project, cohort_id, {CohortContent.kind})

    async def create(self, by: Actor, project: Project, content: CohortContent) -> SavedObject:
        """Save a cohort."""
        await self._check(project, content)
        return await self._saved.create(by, project, content)

    async def change(
        self, by: Actor, project: Project, cohort_id: int, content: CohortContent, seen: int
    ) -> SavedObject:
        """Save another version of it; raises `NotFoundError` or `ChangedMeanwhileError`."""
        await self._check(project, content)
        return await self._saved.change(by, project, cohort_id, content, seen)

    async def _check(self, project: Project, content: CohortContent) -> None:
        read = read_part(content.query, _QUERY)
        if read.document.kind != CohortContent.kind:
            message = f"a saved cohort is a query document of kind cohort, not {read.document.kind}"
            raise invalid_document(Fault((*_QUERY, "kind"), message, "value_error"))
        faults = [
            Fault((*_QUERY, name), "of a saved cohort it is only said who is in it", "extra_forbidden")
            for name in content.query
            if name not in _WHO
        ]
        if self._naming.is_of_file(project, content.name):
            faults.append(Fault(("name",), f"a file defines {content.name} for this project", "name_taken"))
        if faults:
            raise invalid_document(*faults)
        try:
            await self._naming.question(project, read)
        except InvalidRequestError as error:
            raise invalid_at(_QUERY, error) from error
