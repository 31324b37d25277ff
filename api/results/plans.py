"""How ClickHouse would run the statement of an answer."""

import re
from contextlib import nullcontext

from fastapi import Response

from api.queue import FairQueue
from api.results.tables import Answered
from api.warehouse import Warehouse
from core.metadata import Project
from core.warehouse import ProjectScope

_TREE = " │├└─"
# A table holds all projects, and so would a plan tell how much the others have: the numbers of parts and granules, what
# a join is estimated at. So only lines are told that are known to say how: what a step is, and of what.
_TELLS_HOW = re.compile(
    r"[A-Z]\w+( \([^\[\]~]*\))?|Prewhere filter|[A-Za-z_`][\w.`]*"
    r"|(Output|Input \(\w+\)|Keys|Aggregates|Columns|Filter column|Prewhere filter column|Sort description|Condition"
    r"|Join conditions|Type|Name|Description|Search Algorithm|Read type|Window|Functions): [^⋈⟕⟖⟗]*"
    r"|(Keys|Indexes):|(Limit|Offset) \d+|ARRAY JOIN [^⋈⟕⟖⟗]*"
)
# A set of persons that was found first stands in the plan in hexadecimal.
_LONGEST_LINE = 1_000


async def explained(
    warehouse: Warehouse, project: Project, answer: Answered, queue: FairQueue | None = None
) -> Response:
    """Return an answer as JSON, with the plan of its statement as it would be run now, line by line.

    ClickHouse finds out what a subquery gives before it tells the plan: `queue` bounds that as it does the statement.
    """
    meta = answer.meta
    parameters = {name: value for name, value in meta.parameters.items() if name != "project_id"}
    async with queue.place(project.id) if queue is not None else nullcontext():
        found = await warehouse.query(ProjectScope(project.id), f"explain indexes = 1\n{meta.sql}", parameters)
    plan = [row["explain"][:_LONGEST_LINE] for row in found.rows if _TELLS_HOW.fullmatch(row["explain"].strip(_TREE))]
    shown = answer.model_copy(update={"meta": meta.model_copy(update={"plan": plan})})
    return Response(shown.model_dump_json(by_alias=True), media_type="application/json")
