"""A refresh that dies between any two of its statements: the next one makes what a full refresh would."""

import itertools
import os
import secrets
from collections.abc import Iterator

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import settings

from engine.landing import MODELS, landing
from engine.refreshes import MAIN_MODELS, Refreshes, arrive_at_first, arrive_then
from engine.wire import Cut
from runtime.instance import Instance

pytestmark = pytest.mark.slow

# At least so many changes the second run of the main models makes.
FEWEST_CHANGES = 100
# Each dies at every so manieth change, so that a night of machine time can be cut into pieces.
PARTS = 20


@pytest.fixture
def refreshes(runtime: Instance, client: Client) -> Iterator[Refreshes]:
    """Make a landing of two projects, with a place to keep tables in."""
    with landing(runtime, client) as made:
        arrive_at_first(made)
        client.command(f"create database {made.table('kept')}")
        try:
            yield Refreshes(made)
        finally:
            client.command(f"drop database {made.table('kept')}")


@pytest.mark.skipif("CI" in os.environ, reason="takes a minute and a half")
def test_after_runs_that_died_the_next_one_makes_what_a_full_refresh_makes(refreshes: Refreshes) -> None:
    refreshes.run(*MODELS, *MAIN_MODELS)
    arrive_then(refreshes.made)
    anywhere = Cut(after=1 + secrets.randbelow(FEWEST_CHANGES))
    assert refreshes.cut_off(anywhere, "run", *MAIN_MODELS)
    # Here the events are those of this run, and nothing that is made of them is yet.
    assert refreshes.cut_off(Cut(at="`fct_events__dbt_backup` and"), "run", *MAIN_MODELS)
    refreshes.run("run", *MAIN_MODELS)
    found = refreshes.contents()
    refreshes.run("run", *MAIN_MODELS, "--full-refresh")
    assert found == refreshes.contents(), f"died after {len(anywhere.seen)} changes: {anywhere.seen[-1:]}"


@pytest.mark.skipif(settings.get_current_profile_name() != "nightly", reason="takes ten minutes each")
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("died", [MODELS, ("run",), ("run", "--full-refresh")], ids=["first", "next", "full"])
def test_wherever_a_run_dies_the_next_one_makes_what_a_full_refresh_makes(
    refreshes: Refreshes, died: tuple[str, ...], part: int
) -> None:
    if died != MODELS:
        refreshes.run(*MODELS)
        refreshes.keep()
        arrive_then(refreshes.made)
    completed = MODELS if died == MODELS else ("run",)
    refreshes.run(*completed)
    refreshes.run("run", "--full-refresh")
    wanted = refreshes.contents()
    differing: dict[int, tuple[str, dict[str, list[str]]]] = {}
    for changes in itertools.count(1 + part, PARTS):
        refreshes.set_back()
        cut = Cut(after=changes)
        if not refreshes.cut_off(cut, *died):
            break
        refreshes.run(*completed)
        found = refreshes.contents()
        if found != wanted:
            differing[changes] = (cut.seen[-1], _different(found, wanted))
    assert not differing


def _different(found: dict[str, list[str]], wanted: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return the rows that one side alone has, by table."""
    rows = {
        address: sorted(set(found.get(address, ["no table"])) ^ set(wanted.get(address, ["no table"])))
        for address in found.keys() | wanted.keys()
    }
    return {address: differing for address, differing in rows.items() if differing}
