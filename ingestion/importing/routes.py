"""`POST /v1/import` with a file as its body, and `GET /v1/import/{id}`.

Segment's libraries send batches of history to the same path. What names a mapping, or is of a file's type, is a file;
everything else is theirs.
"""

import asyncio
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response
from starlette.types import Scope

from ingestion.errors import UnknownImportError
from ingestion.importing.errors import InvalidMappingError
from ingestion.importing.own_mapping import find_mapping
from ingestion.importing.readers import Format
from ingestion.importing.uploads import Upload
from ingestion.wire import Wire
from ingestion.write_keys import KeyOwner

UPLOAD_PATH = "/v1/import"
_FORMATS: dict[str, Format] = {
    "text/csv": "csv",
    "application/csv": "csv",
    "application/x-ndjson": "jsonl",
    "application/ndjson": "jsonl",
    "application/jsonl": "jsonl",
    "application/vnd.apache.parquet": "parquet",
}
_MAX_NAME = 200

router = APIRouter(tags=["history"])
_UPLOADED: dict[str, Any] = {
    "type": "object",
    "required": ["id", "state"],
    "properties": {
        "id": {"type": "string"},
        "state": {"type": "string", "enum": ["waiting", "running", "finished", "failed"]},
        "name": {"type": "string"},
        "mapping": {"type": "string"},
        "size": {"type": "integer", "description": "Bytes, as sent."},
        "bytes_read": {"type": "integer"},
        "rows_read": {"type": "integer"},
        "rows_landed": {"type": "integer", "description": "In raw.events."},
        "rows_rejected": {"type": "integer", "description": "In raw.rejects."},
        "was_imported_before": {"type": "boolean", "description": "The same bytes were: nothing was done."},
        "code": {"type": "string", "description": "Stable code of why it failed, or of what it waits for."},
        "detail": {"type": "string"},
    },
}
_CONTENT = {"application/json": {"schema": _UPLOADED}}
_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_TYPES = [*_FORMATS, "application/zip", "application/octet-stream"]


def _problems(**texts: str) -> dict[int | str, dict[str, Any]]:
    return {int(status.strip("_")): {"description": text, "content": _PROBLEM} for status, text in texts.items()}


def is_upload(scope: Scope) -> bool:
    """Say whether a request carries a file: it is one to `/v1/import`, and no batch of Segment's."""
    if scope["path"] != UPLOAD_PATH:
        return False
    if b"mapping=" in scope["query_string"]:
        return True
    types = (value for name, value in scope["headers"] if name == b"content-type")
    return next(types, b"").split(b";")[0].strip().decode("latin-1").lower() in _FORMATS


@router.post(
    UPLOAD_PATH,
    status_code=202,
    response_class=Response,
    responses={
        202: {"description": "The file is on disk and will be imported.", "content": _CONTENT},
        **_problems(
            _400="The mapping is unknown or not valid, or the client went away.",
            _401="The write key is missing, unknown or revoked.",
            _403="The write key is not for pages of this origin.",
            _408="Too little came for too long.",
            _413="The file is too large.",
            _429="Too many files wait, or are being sent, or a rate is exceeded; see Retry-After.",
            _503="There is no room on the disk; see Retry-After.",
        ),
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in _TYPES},
        },
        "security": [{"writeKey": []}],
    },
)
async def upload_file(
    request: Request,
    mapping: Annotated[str, Query(description="A ready mapping's name, or one's own mapping as JSON.")] = "",
    zone: Annotated[str | None, Query(description="IANA time zone of instants that name none.")] = None,
    name: Annotated[str, Query(description="What the file is called in reports.", max_length=_MAX_NAME)] = "",
) -> Response:
    """Take a file of history: CSV, JSON lines, Parquet or a zip of them, also packed with gzip or zstd.

    The answer 202 means that it is on disk. The same file counts once, however often it is sent.
    """
    owner = await _owner(request)
    receiving = request.app.state.collector.receiving
    if not mapping:
        raise InvalidMappingError("Name the mapping: ?mapping=segment, posthog, mixpanel, amplitude, or JSON.")
    await asyncio.to_thread(find_mapping, mapping, zone=zone)
    announced = request.headers.get("content-length", "")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    identifier = await asyncio.to_thread(receiving.uploads.begin)
    upload = Upload(
        id=identifier,
        project_id=owner.project_id,
        write_key_id=owner.write_key_id,
        name=name or identifier,
        mapping=mapping,
        zone=zone,
        format=_FORMATS.get(kind),
        size=0,
    )
    await receiving.take(upload, request.stream(), int(announced) if announced.isdecimal() else 0)
    return _told(upload, 202, {"Location": f"{UPLOAD_PATH}/{identifier}"})


@router.get(
    UPLOAD_PATH + "/{identifier}",
    response_class=Response,
    responses={
        200: {"description": "How far it is.", "content": _CONTENT},
        **_problems(
            _401="The write key is missing, unknown or revoked.",
            _403="The write key is not for pages of this origin.",
            _404="There is no such import in the project of the write key, or it ended more than a week ago.",
            _429="A rate is exceeded; see Retry-After.",
        ),
    },
    openapi_extra={"security": [{"writeKey": []}]},
)
async def import_state(request: Request, identifier: Annotated[str, Path(max_length=100)]) -> Response:
    """Say how far an import is."""
    owner = await _owner(request)
    uploads = request.app.state.collector.receiving.uploads
    upload = await asyncio.to_thread(uploads.find, identifier, owner.project_id)
    if upload is None:
        raise UnknownImportError(f"There is no import {identifier[:50]!r} in this project.")
    return _told(upload, 200)


async def _owner(request: Request) -> KeyOwner:
    state = request.app.state.collector
    state.rates.demand_address(request.client.host if request.client else "")
    headers = {"authorization": request.headers.get("authorization", "")}
    key = Wire(request.method, request.url.path, b"", headers).header_key
    return await state.owner_of(key, request.headers.get("origin"))


def _told(upload: Upload, status: int, headers: dict[str, str] | None = None) -> Response:
    said = msgspec.to_builtins(upload)
    said = {name: value for name, value in said.items() if value is not None and not name.endswith("_id")}
    return Response(msgspec.json.encode(said), status, headers, "application/json")
