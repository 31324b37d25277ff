"""Questions wait in a queue in which no project is held up by another one's."""

import asyncio

import pytest

from api.errors import TooManyQueriesError
from api.queue import FairQueue


class _Work:
    """Work under way in a queue, which ends when it is told to."""

    def __init__(self, queue: FairQueue) -> None:
        self.queue = queue
        self.begun: list[int] = []
        self.ends: list[asyncio.Event] = []

    async def do(self, project_id: int) -> None:
        async with self.queue.place(project_id):
            self.begun.append(project_id)
            end = asyncio.Event()
            self.ends.append(end)
            await end.wait()

    async def end_one(self) -> None:
        self.ends.pop(0).set()
        await _turn()


async def _turn() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def _work(most: int, *, most_of_one: int = 100, most_waiting: int = 100) -> _Work:
    return _Work(FairQueue(most, most_of_one=most_of_one, most_waiting=most_waiting))


async def test_a_project_that_asks_little_does_not_wait_for_one_that_asks_much() -> None:
    work = _work(2)
    async with asyncio.TaskGroup() as group:
        for project in (1, 1, 1, 1, 1, 1, 2, 3):
            group.create_task(work.do(project))
            await _turn()
        assert work.begun == [1, 1]
        for _ in range(8):
            await work.end_one()
    assert work.begun[2:5] in ([2, 3, 1], [2, 1, 3])
    assert work.begun.count(1) == 6


async def test_projects_that_wait_alike_take_turns() -> None:
    work = _work(1)
    async with asyncio.TaskGroup() as group:
        for project in (1, 1, 1, 1, 2, 2, 2, 3):
            group.create_task(work.do(project))
            await _turn()
        for _ in range(8):
            await work.end_one()
    assert work.begun == [1, 1, 2, 3, 1, 2, 1, 2]


async def test_one_project_leaves_places_to_others() -> None:
    work = _work(4, most_of_one=3)
    async with asyncio.TaskGroup() as group:
        for project in (1, 1, 1, 1, 1, 2):
            group.create_task(work.do(project))
            await _turn()
        assert work.begun == [1, 1, 1, 2]
        assert (work.queue.running, work.queue.waiting) == (4, 2)
        for _ in range(6):
            await work.end_one()
    assert (work.queue.running, work.queue.waiting) == (0, 0)


async def test_who_leaves_the_queue_takes_no_place() -> None:
    work = _work(1)
    tasks = [asyncio.create_task(work.do(project)) for project in (1, 2, 2, 3)]
    await _turn()
    tasks[1].cancel()
    # Its place is given to the second in the same turn in which he leaves.
    work.ends[0].set()
    tasks[2].cancel()
    await _turn()
    assert work.begun == [1, 3]
    await work.end_one()
    assert work.begun == [1, 3]
    tasks[3].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (work.queue.running, work.queue.waiting) == (0, 0)


async def test_a_place_that_comes_as_somebody_leaves_is_the_next_ones() -> None:
    work = _work(1)
    tasks = [asyncio.create_task(work.do(project)) for project in (1, 2, 3)]
    await _turn()
    work.ends[0].set()
    # One turn: the first has left, and the place is given to the second, who does not know it yet.
    await asyncio.sleep(0)
    assert work.queue.waiting == 1
    tasks[1].cancel()
    await _turn()
    assert work.begun == [1, 3]
    tasks[2].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert work.queue.running == 0


async def test_of_one_project_only_so_many_wait() -> None:
    work = _work(1, most_waiting=1)
    tasks = [asyncio.create_task(work.do(1)) for _ in range(2)]
    await _turn()
    with pytest.raises(TooManyQueriesError) as refused:
        await work.do(1)
    assert (refused.value.status, refused.value.extra["allowed"]) == (429, 1)
    tasks.append(asyncio.create_task(work.do(2)))
    await _turn()
    assert work.queue.waiting == 2
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
