"""Work that ends when whoever asked for it leaves."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request, Response

_Made = TypeVar("_Made")
# nginx's; nobody is there to read it, but it is counted.
_LEFT = 499


async def unless_left(request: Request, work: Coroutine[Any, Any, _Made]) -> _Made | Response:
    """Return what the work returns; when the caller leaves before, it is cancelled. The body must have been read."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else Response(status_code=_LEFT)
    finally:
        working.cancel()
        leaving.cancel()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
