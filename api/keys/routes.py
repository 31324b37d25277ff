"""`/v1/projects/{project_id}/api-keys` and `/write-keys`."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from api.access.principals import ProjectAccess
from api.dependencies import ActingDep, ResourcesDep, project_access_for
from api.keys.schemas import (
    ApiKeyList,
    ApiKeyMade,
    ApiKeyShown,
    NewApiKey,
    NewWriteKey,
    WriteKeyList,
    WriteKeyShown,
)
from api.problems import CHANGE, UNAVAILABLE, UNKNOWN_PROJECT, USER
from core.metadata import ApiKey, WriteKey

router = APIRouter(
    prefix="/v1/projects/{project_id}", tags=["keys"], responses=CHANGE | USER | UNKNOWN_PROJECT | UNAVAILABLE
)
_Managed = Annotated[ProjectAccess, Depends(project_access_for("keys:manage"))]
_KeyId = Annotated[int, Path(ge=1, le=2**31 - 1, examples=[1])]


@router.get("/api-keys", operation_id="list_api_keys", summary="List API keys")
async def list_api_keys(project: _Managed, _: ActingDep, held: ResourcesDep) -> ApiKeyList:
    """Return the keys that read the project, without the keys themselves."""
    found = await held.keys.api_keys(project)
    return ApiKeyList(
        keys=[ApiKeyShown.model_validate({**vars(key), "outlives_maker": outlives}) for key, outlives in found]
    )


@router.post("/api-keys", operation_id="create_api_key", summary="Make an API key", status_code=201)
async def create_api_key(body: NewApiKey, project: _Managed, by: ActingDep, held: ResourcesDep) -> ApiKeyMade:
    """Make a key with scopes that one has oneself. The key itself is in this answer and nowhere else."""
    made, key = await held.keys.create_api_key(by, project, body.name, body.scopes, body.expires_at)
    return ApiKeyMade.model_validate({**vars(made), "key": key, "outlives_maker": False})


@router.delete("/api-keys/{key_id}", operation_id="revoke_api_key", summary="Revoke an API key", status_code=204)
async def revoke_api_key(key_id: _KeyId, project: _Managed, by: ActingDep, held: ResourcesDep) -> None:
    """Refuse it from now on, everywhere within seconds."""
    await held.keys.revoke(by, project, ApiKey, key_id)


@router.get("/write-keys", operation_id="list_write_keys", summary="List write keys")
async def list_write_keys(project: _Managed, _: ActingDep, held: ResourcesDep) -> WriteKeyList:
    """Return the keys with which clients send events."""
    return WriteKeyList(keys=[WriteKeyShown.model_validate(vars(key)) for key in await held.keys.write_keys(project)])


@router.post("/write-keys", operation_id="create_write_key", summary="Make a write key", status_code=201)
async def create_write_key(body: NewWriteKey, project: _Managed, by: ActingDep, held: ResourcesDep) -> WriteKeyShown:
    """Make a key for sending events."""
    made = await held.keys.create_write_key(by, project, body.name, body.allowed_origins, body.events_per_second)
    return WriteKeyShown.model_validate(vars(made))


@router.delete("/write-keys/{key_id}", operation_id="revoke_write_key", summary="Revoke a write key", status_code=204)
async def revoke_write_key(key_id: _KeyId, project: _Managed, by: ActingDep, held: ResourcesDep) -> None:
    """Refuse events with it from now on, at all collectors within seconds."""
    await held.keys.revoke(by, project, WriteKey, key_id)
