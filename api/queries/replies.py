"""What a query document is replied with, whether it was sent or saved."""

from functools import partial

from fastapi import Response

from api.audit.questions import document_text
from api.dependencies import Asking
from api.queries.reading import ReadDocument, shows_persons, tells_no_values
from api.results.formats import Format
from api.results.replies import reply
from core.metadata.saved import SavedObject


async def reply_to(
    asking: Asking, read: ReadDocument, wanted: Format | None, *, explain: bool, saved: SavedObject | None = None
) -> Response:
    """Note what is asked, and return the answer as JSON, given again where it can be, or as a file.

    Of what was `saved` to be made beforehand that answer counts, but where it is to be explained.
    Raises `PermissionMissingError` for a document that shows persons to who may not see them.
    """
    note_question(asking, read)
    queries, project = asking.held.queries, asking.access.project
    question = await queries.question(project, read)
    asked = read.document
    make = partial(queries.answer, project, question)
    if saved is not None and saved.content.get("materialised") and not explain:
        make = partial(asking.held.materialised.answer, project, saved, question)
    return await reply(
        asking,
        question,
        make,
        name=asked.kind,
        wanted=wanted,
        explain=explain,
        may_be_stale=tells_no_values(asked),
    )


def note_question(asking: Asking, read: ReadDocument) -> None:
    """Note what is asked; raises `PermissionMissingError` as `reply_to` does."""
    asking.note("persons:read" if shows_persons(read) else "data:query", read.sent, document_text(read.sent))
