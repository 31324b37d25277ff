"""Clocks that jump, disks that are full, collectors side by side: what was acknowledged is stored, and stored once."""

import subprocess
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from runtime.instance import Instance
from runtime.project_keys import ProjectKeys
from tests.ingestion.harness import Line, Program, Sender, landed_events
from tests.ingestion.storm import Load, verify

DAY_S = 86_400
# Loaded by every Python that finds it: adds what stands in a file to the clock, as an administrator would set it.
_JUMPING_CLOCK = """
import pathlib, time
_offset = pathlib.Path(__file__).with_name("offset")
_time, _time_ns = time.time, time.time_ns
time.time = lambda: _time() + int(_offset.read_text())
time.time_ns = lambda: _time_ns() + int(_offset.read_text()) * 1_000_000_000
"""


class Clock:
    """The clock of programs that are started with `variables`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(_JUMPING_CLOCK)
        self._offset = folder / "offset"
        self.variables = {"PYTHONPATH": f"{folder}:{Path.cwd()}"}
        self.jump(0)

    def jump(self, offset_s: int) -> None:
        """Set it to so many seconds beside the true time."""
        beside = self._offset.with_suffix(".new")
        beside.write_text(str(offset_s))
        beside.rename(self._offset)


def test_a_clock_that_jumps_loses_and_doubles_nothing(
    runtime: Instance, tmp_path: Path, project: ProjectKeys, client: Client
) -> None:
    clock = Clock(tmp_path / "clock")
    line = Line(runtime.variables, tmp_path, **clock.variables)
    line.collector.start()
    line.shipper.start()
    try:
        load = Load(Sender(line.collector.url, project.write_key))
        for offset_s in (-DAY_S, 2 * DAY_S, -3600, 0):
            time.sleep(0.4)
            clock.jump(offset_s)
        line.collector.kill()
        clock.jump(-DAY_S)
        line.collector.start()
        line.shipper.kill()
        line.shipper.start()
        time.sleep(0.5)
        load.stop()
        line.wait_until_shipped()
    finally:
        line.stop()
    verify(client, project, load)
    days = {row["received_at"].date() for row in landed_events(client, project.id)}
    assert len(days) > 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Generator[Path]:
    """Return a folder on a file system of 24 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("making a small file system takes root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_stops_the_collector_until_there_is_room_again(
    runtime: Instance, small_disk: Path, project: ProjectKeys, client: Client
) -> None:
    """Logs lie on the same disk."""
    line = Line(runtime.variables, small_disk, RADIXINSIGHT_COLLECTOR_SPOOL_MIN_FREE_BYTES="0")
    sender = Sender(line.collector.start().url, project.write_key)
    acknowledged: set[str] = set()

    def send(number: int) -> int:
        ids = [f"{number}-{index}" for index in range(50)]
        text = "x" * 10_000
        answer = sender.batch(*({"messageId": each, "properties": {"text": text}} for each in ids))
        if answer.status_code == 200:
            acknowledged.update(ids)
        return answer.status_code

    try:
        statuses = [send(number) for number in range(70)]
        assert set(statuses) == {200, 503}
        assert statuses.index(503) > 20
        assert Program("ingestion", line.collector.log, {}, line.collector.port).metrics()
        line.shipper.start()
        line.wait_until_shipped()
        assert send(1000) == 200
        line.wait_until_shipped()
    finally:
        line.stop()
    landed = [row["message_id"] for row in landed_events(client, project.id)]
    assert sorted(landed) == sorted(acknowledged)


def test_collectors_side_by_side_and_shippers_on_several_machines_lose_and_double_nothing(
    runtime: Instance, tmp_path: Path, project: ProjectKeys, client: Client
) -> None:
    """Two collectors and two shippers on one spool, as after a restart that overlaps, beside a machine of its own."""
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    here, there = Line(runtime.variables, tmp_path / "here"), Line(runtime.variables, tmp_path / "there")
    second = Program("ingestion", tmp_path / "second.log", here.collector.environment)
    overlapping = Program("ingestion.shipper", tmp_path / "overlapping.log", here.shipper.environment)
    programs = [here.collector, second, here.shipper, overlapping, there.collector, there.shipper]
    for program in programs:
        program.start()
    try:
        loads = [
            Load(Sender(program.url, project.write_key), name)
            for name, program in (("a", here.collector), ("b", second), ("c", there.collector))
        ]
        time.sleep(1)
        second.kill()
        overlapping.kill()
        time.sleep(0.5)
        for load in loads:
            load.stop()
        here.wait_until_shipped()
        there.wait_until_shipped()
    finally:
        for program in programs:
            program.stop()
    together = loads[0]
    for load in loads[1:]:
        together.acknowledged |= load.acknowledged
        together.unknown |= load.unknown
    verify(client, project, together)


def test_collectors_on_one_port_share_the_load_and_one_that_is_killed_takes_nothing_along(
    runtime: Instance, tmp_path: Path, project: ProjectKeys, client: Client
) -> None:
    line = Line(runtime.variables, tmp_path)
    shared = line.collector
    collectors = [Program("ingestion", tmp_path / f"{number}.log", line.environment) for number in range(2)]
    line.shipper.start()
    try:
        for collector in collectors:
            own_port = str(collector.port)
            collector.start(RADIXINSIGHT_COLLECTOR_PORT=str(shared.port), RADIXINSIGHT_COLLECTOR_OWN_PORT=own_port)
        load = Load(Sender(shared.url, project.write_key))
        time.sleep(1)
        shares = [collector.metrics()["radixinsight_collector_events_accepted_total"] for collector in collectors]
        collectors[1].kill()
        time.sleep(1)
        before = len(load.acknowledged)
        time.sleep(1)
        load.stop()
        assert all(shares)
        assert len(load.acknowledged) > before
        line.wait_until_shipped()
    finally:
        for collector in collectors:
            collector.stop()
        line.stop()
    verify(client, project, load)
