"""Answers of saved insights that a schedule made beforehand, and how a question is known to be the same."""

import hashlib
from datetime import datetime, timedelta
from typing import Any

from pydantic import TypeAdapter, ValidationError

from api.queries.answers import Answer
from api.queries.naming import Question
from api.queries.range_documents import Ranged
from api.queries.ranges import ends_of
from api.queries.reading import ReadDocument
from api.queries.service import Queries
from api.saved_insights.schemas import Materialisation, MaterialisedResult
from api.settings import ApiSettings
from api.warehouse import Warehouse
from core.clock import utc_now
from core.metadata import Project
from core.metadata.saved import SavedObject
from core.problem import InvalidRequestError
from core.warehouse import ProjectScope

# Rows that were replaced are there until parts are merged.
_LATEST = """
select made_at, version, question, answer, error
from insights.results
where project_id = {project_id:UInt32} and insight_id = {insight_id:UInt32}
order by made_at desc
limit 1 by is_failure
"""
_TABLE = "insights.results"
_ANSWERS: TypeAdapter[Answer] = TypeAdapter(Answer)


class Materialised:
    """Gives what was made of one project's insights while it answers what they ask now, and is not too old."""

    def __init__(self, settings: ApiSettings, warehouse: Warehouse, queries: Queries) -> None:
        self._most_age = timedelta(minutes=settings.materialised_most_minutes)
        self._warehouse = warehouse
        self._queries = queries

    async def answer(self, project: Project, found: SavedObject, question: Question) -> Answer:
        """Return what was made beforehand, as `meta` says; without that the answer of now."""
        _, made = await self._latest(project, found)
        if made is not None and self._holds(made, project, found, question):
            try:
                answer = _ANSWERS.validate_json(made["answer"])
            except ValidationError:
                # A version of before wrote it.
                return await self._queries.answer(project, question)
            update = {"sources": [_TABLE, *answer.meta.sources], "cached": True}
            return answer.model_copy(update={"meta": answer.meta.model_copy(update=update)})
        return await self._queries.answer(project, question)

    async def make(self, project: Project, found: SavedObject, question: Question) -> MaterialisedResult:
        """Return the answer of now, with what says later whether it still answers the insight."""
        # Before it is asked: where a day ends meanwhile, it is of a range that has passed, and not given.
        digest = _digest(project, question, utc_now())
        answer = await self._queries.answer(project, question)
        return MaterialisedResult(version=found.version, question=digest, answer=answer)

    async def state(self, project: Project, found: SavedObject) -> Materialisation:
        """Return what was made last, and whether it is given; also of an insight that cannot be answered any more."""
        tried, made = await self._latest(project, found)
        is_given = False
        if made is not None and found.content.get("materialised"):
            is_given = await self._is_of_now(made, project, found)
        return Materialisation(
            made_at=None if tried is None else tried["made_at"],
            answered_at=None if made is None else made["made_at"],
            version=None if made is None else made["version"],
            error=None if tried is None else tried["error"] or None,
            is_given=is_given,
        )

    async def _is_of_now(self, made: dict[str, Any], project: Project, found: SavedObject) -> bool:
        try:
            question = await self._queries.question(project, ReadDocument(found.content["query"]))
        except InvalidRequestError:
            return False
        return self._holds(made, project, found, question)

    def _holds(self, made: dict[str, Any], project: Project, found: SavedObject, question: Question) -> bool:
        now = utc_now()
        return (
            made["version"] == found.version
            and made["question"] == _digest(project, question, now)
            and now - made["made_at"] <= self._most_age
        )

    async def _latest(
        self, project: Project, found: SavedObject
    ) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        """Return what came of the last try, and the last answer, which is kept when a later try fails."""
        read = await self._warehouse.query(ProjectScope(project.id), _LATEST, {"insight_id": found.id})
        return next(iter(read.rows), None), next((row for row in read.rows if row["answer"]), None)


def _digest(project: Project, question: Question, now: datetime) -> str:
    """Return what is another for every other question; so does the present bucket of a `last` range make it."""
    asked = question.document
    ends = [moment.isoformat() for moment in ends_of(asked, project, now)] if isinstance(asked, Ranged) else []
    parts = (question.model_dump_json(), project.timezone, str(project.week_start), *ends)
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()
