"""What Segment's and RudderStack's browser libraries ask before they send: where to, and what is switched on.

Without an answer neither of them sends anything.
"""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from ingestion.wire import JSON

_FRESH_S = 300

router = APIRouter(include_in_schema=False)


@router.get("/v1/projects/{write_key}/settings")
async def settings(request: Request, write_key: str) -> Response:
    """Send Segment's library back to where it asked, under the same prefix, and have it load no destinations."""
    prefix = request.url.path.partition("/v1/projects/")[0]
    destination = {
        "apiKey": write_key,
        "apiHost": f"{request.url.netloc}{prefix}/v1",
        "protocol": request.url.scheme,
    }
    return _json({"integrations": {"Segment.io": destination}})


@router.get("/sourceConfig")
@router.get("/sourceConfig/")
async def source_config(write_key: Annotated[str, Query(alias="writeKey")] = "") -> Response:
    """Tell RudderStack's library of a source that is on and has no destinations, and to report nothing of its own."""
    off = {"enabled": False}
    source = {
        "id": "radixinsight",
        "name": "RadixInsight",
        "writeKey": write_key,
        "enabled": True,
        "config": {"statsCollection": {"errors": off, "metrics": off}},
        "destinations": [],
    }
    return _json({"source": source})


def _json(answer: dict[str, Any]) -> Response:
    # It depends on the Host header, so that no cache may share it.
    return Response(
        msgspec.json.encode(answer), media_type=JSON, headers={"cache-control": f"private, max-age={_FRESH_S}"}
    )
