"""`/v1/projects/{project_id}/exports`, and the files of exports."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from fastapi.responses import FileResponse

from api.dependencies import Asking, ClientDep, ResourcesDep, asking_for, client_of
from api.exports.files import MEDIA_TYPES
from api.exports.schemas import ExportList, ExportShown, NewExport
from api.problems import (
    EXPORT_LINK,
    EXPORTS_FULL,
    TOO_MANY_EXPORTS,
    UNAUTHENTICATED,
    UNAVAILABLE,
    UNKNOWN_EXPORT,
    UNSUITABLE,
)


async def _exporting(asking: Annotated[Asking, Depends(asking_for("data:export"))]) -> Asking:
    # Every export shows single events or persons.
    asking.demand("persons:read")
    return asking


_Exporting = Annotated[Asking, Depends(_exporting)]
_ExportId = Annotated[int, Path(ge=1, le=2**31 - 1, examples=[1])]
_Token = Annotated[str, Path(pattern=r"^[0-9]{1,10}\.[0-9]{1,12}\.[0-9a-f]{64}$", description="As in `link`.")]
_FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file",
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}} for kind in sorted(set(MEDIA_TYPES.values()))
        },
    }
}

router = APIRouter(tags=["exports"], responses=UNAVAILABLE)


@router.post(
    "/v1/projects/{project_id}/exports",
    operation_id="create_export",
    summary="Export events or persons",
    status_code=201,
    responses=UNAUTHENTICATED | UNKNOWN_EXPORT | EXPORTS_FULL | UNSUITABLE | TOO_MANY_EXPORTS,
)
async def create_export(asking: _Exporting, body: NewExport) -> ExportShown:
    """Ask for a file of all events of a range or of all persons; it is made in the background."""
    by = asking.principal.actor(client_of(asking.request))
    return await asking.held.exports.create(by, asking.access.project, body)


@router.get(
    "/v1/projects/{project_id}/exports",
    operation_id="list_exports",
    summary="List exports",
    responses=UNAUTHENTICATED | UNKNOWN_EXPORT | UNSUITABLE,
)
async def list_exports(asking: _Exporting) -> ExportList:
    """Return the newest hundred with how far each of them is."""
    return ExportList(exports=await asking.held.exports.latest(asking.access.project))


@router.get(
    "/v1/projects/{project_id}/exports/{export_id}",
    operation_id="get_export",
    summary="How far an export is",
    responses=UNAUTHENTICATED | UNKNOWN_EXPORT | UNSUITABLE,
)
async def get_export(asking: _Exporting, export_id: _ExportId) -> ExportShown:
    """Return its progress in rows and, when it is done, a link to its file."""
    return await asking.held.exports.one(asking.access.project, export_id)


@router.delete(
    "/v1/projects/{project_id}/exports/{export_id}",
    operation_id="cancel_export",
    summary="Cancel or delete an export",
    status_code=204,
    responses=UNAUTHENTICATED | UNKNOWN_EXPORT | UNSUITABLE,
)
async def cancel_export(asking: _Exporting, export_id: _ExportId) -> None:
    """End it, so that it is `cancelled`; remove the file of one that is done, so that it is `deleted`."""
    by = asking.principal.actor(client_of(asking.request))
    await asking.held.exports.cancel(by, asking.access.project, export_id)


@router.get(
    "/v1/exports/{token}",
    operation_id="get_export_file",
    summary="The file of an export",
    responses=_FILE | EXPORT_LINK,
    response_class=FileResponse,
)
async def get_export_file(token: _Token, held: ResourcesDep, client: ClientDep) -> FileResponse:
    """Return the file to whoever has the link."""
    path, name, kind = await held.exports.file(token, client)
    return FileResponse(path, filename=name, media_type=MEDIA_TYPES[kind])
