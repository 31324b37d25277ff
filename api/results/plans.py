"""How ClickHouse would run the statement of an answer."""

import re

from fastapi import Response

from api.results.tables import Answered
from api.warehouse import Warehouse
from core.metadata import Project
from core.warehouse import ProjectScope

# A table holds all projects, and so would a plan tell how much the others have.
_COUNTS_ALL = re.compile(r"\b(?:Parts|Granules|Ranges|Marks|Rows)\b[^:]*: *\d")
# A set of persons that was found first stands in the plan in hexadecimal.
_LONGEST_LINE = 1_000


async def explained(warehouse: Warehouse, project: Project, answer: Answered) -> Response:
    """Return an answer as JSON, with the plan of its statement as it would be run now, line by line."""
    meta = answer.meta
    parameters = {name: value for name, value in meta.parameters.items() if name != "project_id"}
    found = await warehouse.query(ProjectScope(project.id), f"explain indexes = 1\n{meta.sql}", parameters)
    plan = [row["explain"][:_LONGEST_LINE] for row in found.rows if not _COUNTS_ALL.search(row["explain"])]
    shown = answer.model_copy(update={"meta": meta.model_copy(update={"plan": plan})})
    return Response(shown.model_dump_json(by_alias=True), media_type="application/json")
