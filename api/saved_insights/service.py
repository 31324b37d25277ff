"""Saves questions and answers those that were saved, as `POST …/query` answers any."""

from api.queries.reading import ReadDocument, invalid_at, invalid_document, read_part, tells_no_values
from api.queries.service import Queries
from api.saved.contents import InsightContent
from api.saved.service import Saved
from core.insights.faults import Fault
from core.metadata import Project
from core.metadata.audit import Actor
from core.metadata.saved import SavedObject
from core.problem import InvalidRequestError

_QUERY = ("query",)


class SavedInsights:
    """The saved questions of one project. A document that does not fit is refused: `InvalidRequestError`."""

    def __init__(self, saved: Saved, queries: Queries) -> None:
        self._saved = saved
        self._queries = queries

    async def find(self, project: Project, insight_id: int) -> SavedObject:
        """Return one insight; raises `NotFoundError`."""
        return await self._saved.find(project, insight_id, {InsightContent.kind})

    async def create(self, by: Actor, project: Project, content: InsightContent) -> SavedObject:
        """Save a question."""
        await self._check(project, content)
        return await self._saved.create(by, project, content)

    async def change(
        self, by: Actor, project: Project, insight_id: int, content: InsightContent, seen: int
    ) -> SavedObject:
        """Save another version of it; raises `NotFoundError` or `ChangedMeanwhileError`."""
        await self._check(project, content)
        return await self._saved.change(by, project, insight_id, content, seen)

    async def question(self, project: Project, insight_id: int) -> tuple[SavedObject, ReadDocument]:
        """Return an insight and what it asks; raises `NotFoundError`."""
        found = await self.find(project, insight_id)
        return found, ReadDocument(found.content["query"])

    async def _check(self, project: Project, content: InsightContent) -> None:
        read = read_part(content.query, _QUERY)
        if content.materialised and not tells_no_values(read.document):
            message = (
                "only trends, funnels, retention, lifecycle and stickiness without a breakdown are made beforehand"
            )
            raise invalid_document(Fault(("materialised",), message, "value_error"))
        try:
            await self._queries.question(project, read)
        except InvalidRequestError as error:
            raise invalid_at(_QUERY, error) from error
