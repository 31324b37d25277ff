"""Who holds a data directory, and which one it is."""

import fcntl
import os
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from pathlib import Path

import psutil
import pytest

from runtime import orphans
from runtime.directory import DataDirectory, DirectoryLock


@pytest.fixture
def directory(tmp_path: Path) -> DataDirectory:
    made = DataDirectory.at(tmp_path / "data")
    made.create()
    return made


@pytest.fixture
def unnamed_holder(directory: DataDirectory) -> Generator[int]:
    """Hold the lock as a supervisor does before it has written its process id; the lock file's descriptor."""
    descriptor = os.open(directory.lock_file, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    yield descriptor
    os.close(descriptor)


def test_a_directory_that_nobody_holds_has_no_holder(directory: DataDirectory) -> None:
    assert DirectoryLock(directory).holder() is None
    lock = DirectoryLock(directory)
    lock.acquire()
    assert DirectoryLock(directory).holder() == os.getpid()
    lock.release()
    assert DirectoryLock(directory).holder() is None


def test_a_holder_that_has_not_told_its_number_yet_is_asked_again(
    directory: DataDirectory, unnamed_holder: int
) -> None:
    told = threading.Timer(0.2, os.pwrite, (unnamed_holder, b"4711", 0))
    told.start()
    assert DirectoryLock(directory).holder() == 4711
    told.join()


@pytest.mark.usefixtures("unnamed_holder")
def test_down_signals_nobody_when_the_holder_does_not_tell_its_number(directory: DataDirectory) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "runtime", "down", "--data-dir", str(directory.root)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        start_new_session=True,  # a signal to "process 0" reaches the whole group
    )
    assert ran.returncode == 1
    assert "does not say which process it is" in ran.stderr


def test_a_directory_is_the_same_one_by_way_of_a_symbolic_link(directory: DataDirectory, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(directory.root)
    tags = {"RADIXINSIGHT_RUN": "earlier", "RADIXINSIGHT_DATA_DIR": str(directory.root)}
    left = psutil.Popen(["sleep", "60"], env=os.environ | tags)
    try:
        until = time.monotonic() + 10
        while left.pid not in {process.pid for process in orphans.find(DataDirectory.at(tmp_path / "link"))}:
            assert time.monotonic() < until, "not found by way of the link"
            time.sleep(0.05)
    finally:
        left.kill()
        left.wait()
