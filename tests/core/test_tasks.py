import asyncio

import pytest

from core import tasks
from ingestion.live import LivePublisher
from ingestion.metrics import CollectorMetrics
from runtime.instance import Instance


async def test_a_task_that_forgets_a_cancellation_ends_too() -> None:
    forgotten = 0

    async def stubborn() -> None:
        nonlocal forgotten
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                forgotten += 1
                if forgotten == 2:
                    raise

    async def failing() -> None:
        raise ValueError

    both = [asyncio.create_task(stubborn()), asyncio.create_task(failing())]
    await asyncio.sleep(0)
    await asyncio.wait_for(tasks.end(both), 5)
    assert both[0].cancelled()
    assert isinstance(both[1].exception(), ValueError)


async def test_a_publisher_ends_whatever_it_does_at_that_moment(
    runtime: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It asks Valkey all the time, so that answers and cancellations meet.
    monkeypatch.setattr("ingestion.live.LOOK_EVERY_S", 0)
    monkeypatch.setattr(tasks, "_ASK_AGAIN_S", 0.01)
    metrics = CollectorMetrics()
    for _ in range(50):
        publisher = LivePublisher(runtime.redis_url, metrics, events_per_second=1, oldest_unshipped_s=lambda: 0.0)
        task = asyncio.create_task(publisher.run())
        await asyncio.sleep(0.005)
        await asyncio.wait_for(tasks.end([task]), 5)
        assert task.done()
