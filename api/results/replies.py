"""What a question is answered with: JSON, given again where it can be, or a file."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Response
from pydantic import BaseModel

from api.dependencies import Asking
from api.queue import FairQueue
from api.results.files import file_response, wanted_format
from api.results.formats import Format
from api.results.leaving import unless_left
from api.results.plans import explained
from api.results.tables import Answered, table_of


async def reply(
    asking: Asking,
    asked: BaseModel,
    make: Callable[[], Coroutine[Any, Any, Answered]],
    *,
    name: str,
    wanted: Format | None,
    explain: bool,
    may_be_stale: bool = True,
    queue: FairQueue | None = None,
) -> Response:
    """Return the answer that `make` makes as JSON or, to who may take data out, as a file of this name.

    One that is to be explained is JSON, and made anew. `queue` is that in which `make` waits, if it is one of its own.
    """
    if explain:
        return await unless_left(asking.request, _explained(asking, make, queue))
    kind = wanted_format(asking.request, wanted)
    if kind == "json":
        kept = asking.held.kept
        return await kept.answer(asking.request, asking.access.project, asked, make, may_be_stale=may_be_stale)
    asking.demand("data:export")
    made = await unless_left(asking.request, make())
    return made if isinstance(made, Response) else file_response(kind, table_of(made), name)


async def _explained(
    asking: Asking, make: Callable[[], Coroutine[Any, Any, Answered]], queue: FairQueue | None
) -> Response:
    return await explained(asking.held.warehouse, asking.access.project, await make(), queue)
