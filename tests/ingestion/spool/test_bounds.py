import asyncio
from pathlib import Path

import pytest

from ingestion.errors import SpoolBusyError, SpoolUnavailableError
from ingestion.spool.bounds import SpoolBounds
from ingestion.spool.directory import SEALED


def bounds(spool: Path, held: int = 0, *, min_free_bytes: int = 0) -> SpoolBounds:
    """Return the bounds of a spool that may hold 1000 bytes and holds `held`."""
    writer = spool / "writer"
    writer.mkdir()
    (writer / f"1-a{SEALED}").write_bytes(bytes(held))
    return SpoolBounds(spool, max_bytes=1000, min_free_bytes=min_free_bytes, max_pending_bytes=500)


def test_a_spool_with_room_takes_requests(tmp_path: Path) -> None:
    bounds(tmp_path, 899).check(500)


def test_near_the_bound_senders_are_told_to_slow_down_and_for_how_long(tmp_path: Path) -> None:
    with pytest.raises(SpoolBusyError) as caught:
        bounds(tmp_path, 900).check(0)
    assert caught.value.status == 429
    assert int(caught.value.headers["Retry-After"]) > 0


def test_over_the_bound_nothing_is_taken(tmp_path: Path) -> None:
    with pytest.raises(SpoolUnavailableError) as caught:
        bounds(tmp_path, 1000).check(0)
    assert caught.value.status == 503
    assert int(caught.value.headers["Retry-After"]) > 0


def test_bytes_that_were_added_count_before_the_disk_is_looked_at_again(tmp_path: Path) -> None:
    full = bounds(tmp_path, 800)
    full.add(200)
    with pytest.raises(SpoolUnavailableError):
        full.check(0)
    full.measure()
    full.check(0)


def test_the_disk_keeps_some_space_free(tmp_path: Path) -> None:
    with pytest.raises(SpoolUnavailableError, match="free on the disk"):
        bounds(tmp_path, min_free_bytes=10**18).check(0)


def test_a_disk_that_is_too_slow_slows_senders_down(tmp_path: Path) -> None:
    with pytest.raises(SpoolBusyError):
        bounds(tmp_path).check(501)


async def test_a_look_at_the_disk_that_fails_is_told_and_is_not_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = bounds(tmp_path)
    watcher = asyncio.create_task(watched.watch())

    def fail(_: Path) -> None:
        raise ValueError("no number")

    async with asyncio.timeout(10):
        with monkeypatch.context() as patched:
            patched.setattr("shutil.disk_usage", fail)
            while not watched.fault:  # noqa: ASYNC110 - waits for the watcher
                await asyncio.sleep(0.05)
        while watched.fault:  # noqa: ASYNC110 - waits for the watcher
            await asyncio.sleep(0.05)
    watcher.cancel()
