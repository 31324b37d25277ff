"""`/v1/organisations/{organisation_id}/audit-log`."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse

from api.access.principals import OrganisationAccess
from api.audit.schemas import AuditEntryShown, AuditExport, AuditPage, AuditQuery
from api.dependencies import ActingDep, ResourcesDep, organisation_for
from api.problems import ORGANISATION, UNAVAILABLE, USER

router = APIRouter(
    prefix="/v1/organisations/{organisation_id}/audit-log",
    tags=["audit"],
    responses=USER | ORGANISATION | UNAVAILABLE,
)
_Reader = Annotated[OrganisationAccess, Depends(organisation_for("audit:read"))]
_MEDIA = {"csv": "text/csv", "ndjson": "application/x-ndjson"}
_LINES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "One entry to a line, the oldest first",
        "content": {media: {"schema": {"type": "string"}} for media in _MEDIA.values()},
    }
}


@router.get("", operation_id="read_audit_log", summary="Read the audit log")
async def read_audit_log(organisation: _Reader, held: ResourcesDep, query: Annotated[AuditQuery, Query()]) -> AuditPage:
    """Return who changed or read what, when and from where; the latest first."""
    entries, following = await held.audit_log.page(organisation, query)
    return AuditPage(entries=[AuditEntryShown.model_validate(vars(each)) for each in entries], next=following)


@router.get(
    "/export",
    operation_id="export_audit_log",
    summary="Take the audit log out",
    responses=_LINES,
    response_class=StreamingResponse,
)
async def export_audit_log(
    organisation: _Reader,
    by: ActingDep,
    held: ResourcesDep,
    query: Annotated[AuditExport, Query()],
) -> StreamingResponse:
    """Stream all entries that are asked for, the oldest first. That they were taken out is an entry too."""
    lines = await held.audit_log.export(by, organisation, query)
    name = f"audit-log-{organisation.id}.{query.format}"
    return StreamingResponse(
        lines, media_type=_MEDIA[query.format], headers={"content-disposition": f'attachment; filename="{name}"'}
    )
