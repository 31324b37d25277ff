import asyncio
import contextlib
import errno
import os
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest

from ingestion.errors import SpoolUnavailableError
from ingestion.spool.directory import ADOPTED, OPEN, SEALED, adopt, segments, writers
from ingestion.spool.records import Kind, Record, scan
from ingestion.spool.segment import OpenSegment
from ingestion.spool.writer import SpoolWriter

MakeWriter = Callable[..., SpoolWriter]


@pytest.fixture
async def make_writer(tmp_path: Path) -> AsyncGenerator[MakeWriter]:
    """Return a maker of writers, which are closed in the end."""
    made: list[SpoolWriter] = []

    def make(*, max_bytes: int = 1_000_000, max_age_s: float = 60) -> SpoolWriter:
        ledger = tmp_path.with_name(f"{tmp_path.name}-ledger")
        made.append(SpoolWriter(tmp_path, ledger, segment_max_bytes=max_bytes, segment_max_age_s=max_age_s))
        return made[-1]

    yield make
    for writer in made:
        await writer.close()


def stored(spool: Path, suffix: str) -> list[list[bytes]]:
    """Return the payloads of every segment with this suffix."""
    return [
        [bytes(found.payload) for found in scan(path.read_bytes()) if isinstance(found, Record)]
        for writer in writers(spool)
        for path in segments(writer, suffix)
    ]


async def send(writer: SpoolWriter, payload: bytes) -> None:
    """Append one record and wait until it is durable."""
    writer.append(Kind.EVENTS, 1, payload, project_id=1)
    await writer.commit()


async def test_what_is_committed_is_on_disk(make_writer: MakeWriter, tmp_path: Path) -> None:
    writer = make_writer()
    await send(writer, b"a\n")
    assert stored(tmp_path, OPEN) == [[b"a\n"]]
    assert (writers(tmp_path)[0] / f"{writer.batch_id}{OPEN}").exists()


async def test_many_requests_share_one_fsync(make_writer: MakeWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = make_writer()
    calls: list[int] = []
    sync = os.fdatasync

    def count(handle: int) -> None:
        calls.append(handle)
        sync(handle)

    monkeypatch.setattr(os, "fdatasync", count)
    await asyncio.gather(*(send(writer, b"%d\n" % number) for number in range(500)))
    assert 1 <= len(calls) <= 3


async def test_a_segment_is_sealed_when_it_is_full(make_writer: MakeWriter, tmp_path: Path) -> None:
    writer = make_writer(max_bytes=100)
    first = writer.batch_id
    await send(writer, b"a" * 100)
    await send(writer, b"b")
    assert stored(tmp_path, SEALED) == [[b"a" * 100]]
    assert stored(tmp_path, OPEN) == [[b"b"]]
    assert writer.batch_id != first


async def test_a_segment_is_sealed_when_it_is_old(make_writer: MakeWriter, tmp_path: Path) -> None:
    writer = make_writer(max_age_s=0.05)
    await send(writer, b"a")
    async with asyncio.timeout(5):
        while not stored(tmp_path, SEALED):  # noqa: ASYNC110 - waits for a file
            await asyncio.sleep(0.01)
    assert stored(tmp_path, OPEN) == []


async def test_a_segment_bears_the_batch_id_that_was_shown_before_appending(
    make_writer: MakeWriter, tmp_path: Path
) -> None:
    writer = make_writer(max_bytes=2_000)
    for _ in range(40):

        async def one() -> None:
            await send(writer, writer.batch_id.encode())

        await asyncio.gather(*(one() for _ in range(10)))
    await writer.close()
    adopt(writers(tmp_path)[0])
    found = {path.stem: path for path in segments(writers(tmp_path)[0])}
    assert len(found) > 5
    for batch_id, path in found.items():
        payloads = {bytes(record.payload).decode() for record in scan(path.read_bytes()) if isinstance(record, Record)}
        assert payloads == {batch_id}


async def test_closing_seals_and_lets_go_of_the_directory(make_writer: MakeWriter, tmp_path: Path) -> None:
    writer = make_writer()
    await send(writer, b"a")
    await writer.close()
    assert stored(tmp_path, SEALED) == [[b"a"]]
    assert adopt(writers(tmp_path)[0])


async def test_a_closed_writer_takes_nothing(make_writer: MakeWriter) -> None:
    writer = make_writer()
    await writer.close()
    with pytest.raises(SpoolUnavailableError):
        writer.append(Kind.EVENTS, 1, b"a", project_id=1)


async def test_a_full_disk_acknowledges_nothing_and_keeps_nothing(
    make_writer: MakeWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = make_writer()
    await send(writer, b"before")
    pwrite = os.pwrite

    def write_half_then_fail(handle: int, data: memoryview, offset: int) -> int:
        pwrite(handle, data[: len(data) // 2], offset)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", write_half_then_fail)
        results = await asyncio.gather(*(send(writer, b"lost" * 50) for _ in range(5)), return_exceptions=True)
    assert [type(result) for result in results] == [SpoolUnavailableError] * 5
    assert "No space left" in str(results[0])
    await send(writer, b"after")
    await writer.close()
    assert stored(tmp_path, SEALED) == [[b"before"], [b"after"]]


async def test_a_disk_that_fails_to_sync_acknowledges_nothing(
    make_writer: MakeWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = make_writer()

    def fail(_handle: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", fail)
        with pytest.raises(SpoolUnavailableError):
            await send(writer, b"lost")
    await send(writer, b"after")
    await writer.close()
    assert stored(tmp_path, SEALED) == [[b"after"]]


async def test_what_was_refused_is_cut_off_later_when_it_cannot_be_at_once(
    make_writer: MakeWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = make_writer()
    await send(writer, b"before")

    def fail(*_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", fail)
        patched.setattr(os, "ftruncate", fail)
        with pytest.raises(SpoolUnavailableError):
            await send(writer, b"refused")
        await asyncio.sleep(0.05)
        assert stored(tmp_path, SEALED) == []
    await send(writer, b"after")
    await writer.close()
    assert stored(tmp_path, SEALED) == [[b"before"], [b"after"]]


async def test_a_fault_that_nobody_thought_of_refuses_a_request_and_not_all_that_follow(
    make_writer: MakeWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = make_writer()

    def fail(*_: object) -> None:
        raise RuntimeError("a fault")

    async with asyncio.timeout(10):
        for name in ("append", "seal"):
            with monkeypatch.context() as patched:
                patched.setattr(OpenSegment, name, fail)
                with pytest.raises(SpoolUnavailableError) if name == "append" else contextlib.nullcontext():
                    await send(writer, b"x" * 2_000_000)
                await asyncio.sleep(0.05)
            await send(writer, b"after")
        assert writer.is_running
        await writer.close()
    assert stored(tmp_path, SEALED) == [[b"after", b"x" * 2_000_000], [b"after"]]


async def test_a_client_that_goes_away_does_not_take_others_with_it(make_writer: MakeWriter) -> None:
    writer = make_writer()
    leaving, staying = asyncio.create_task(send(writer, b"a")), asyncio.create_task(send(writer, b"b"))
    await asyncio.sleep(0)
    leaving.cancel()
    await staying
    with pytest.raises(asyncio.CancelledError):
        await leaving


async def test_a_ledger_that_cannot_be_written_keeps_no_segment_from_being_shipped(
    make_writer: MakeWriter, tmp_path: Path
) -> None:
    """The shipper counts what is in it, as if its collector had died."""
    writer = make_writer()
    (own,) = tmp_path.with_name(f"{tmp_path.name}-ledger").iterdir()
    own.rename(own.with_name("gone"))
    await send(writer, b"a")
    await writer.close()
    assert stored(tmp_path, ADOPTED) == [[b"a"]]
