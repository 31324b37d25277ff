"""Ending tasks."""

import asyncio
from collections.abc import Collection
from typing import Any

_ASK_AGAIN_S = 0.5


async def end(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until the last one has ended, however it does.

    Asks again until they do: `asyncio.wait_for` of Python 3.11, through which redis-py sends, forgets a cancellation
    that comes in the same turn as what it waits for, and a task that works in a loop would never end.
    """
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=_ASK_AGAIN_S)
    await asyncio.gather(*tasks, return_exceptions=True)
