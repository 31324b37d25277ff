"""A kill that is on its way reaches the query that it was meant for, or none."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from runtime.clickhouse.engine import Handle
from runtime.clickhouse.running import Running, RunningQuery


class SlowEngine:
    """Takes its time to end a query, as an engine under load does, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.is_asked = threading.Event()
        self.may_answer = threading.Event()

    def kill(self, _handle: Handle) -> int:
        """Report one query as ended, once it may."""
        self.asked += 1
        self.is_asked.set()
        assert self.may_answer.wait(10)
        return 1


@pytest.fixture
def engine() -> SlowEngine:
    return SlowEngine()


@pytest.fixture
def running(engine: SlowEngine) -> Running:
    stand_in: Any = engine
    return Running(stand_in, limit=10)


def _query(handle: Handle, query_id: str = "mine") -> RunningQuery:
    nobody: Any = None
    return RunningQuery(query_id, "admin", handle, nobody, dies_with_client=True)


def _in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def _leave(entered: AbstractContextManager[None]) -> threading.Thread:
    """End a query in a thread of its own; the thread's end is when the handle is free for the next one."""
    return _in_thread(lambda: entered.__exit__(None, None, None))


def test_a_handle_is_not_free_for_its_next_query_while_a_kill_is_on_its_way(
    running: Running, engine: SlowEngine
) -> None:
    query = _query(Handle(None, "handle-1"))
    entered = running.entered(query)
    entered.__enter__()
    killing = _in_thread(lambda: running.kill(query))
    assert engine.is_asked.wait(10)
    leaving = _leave(entered)
    leaving.join(0.3)
    assert leaving.is_alive()
    engine.may_answer.set()
    leaving.join(10)
    killing.join(10)
    assert not leaving.is_alive()


def test_two_that_want_to_end_a_query_ask_the_engine_once(running: Running, engine: SlowEngine) -> None:
    query = _query(Handle(None, "handle-1"))
    with running.entered(query):
        killing = _in_thread(lambda: running.kill(query))
        assert engine.is_asked.wait(10)
        running.kill(query)
        engine.may_answer.set()
        killing.join(10)
        running.kill(query)
    assert engine.asked == 1


def test_a_query_that_is_over_is_not_killed(running: Running, engine: SlowEngine) -> None:
    query = _query(Handle(None, "handle-1"))
    with running.entered(query):
        pass
    running.kill(query)
    assert engine.asked == 0


def test_a_tag_stays_with_its_query_for_as_long_as_a_statement_needs_it(running: Running) -> None:
    entered = running.entered(_query(Handle(None, "handle-1")))
    entered.__enter__()
    with running.held("mine") as tag:
        assert tag == "handle-1"
        leaving = _leave(entered)
        leaving.join(0.3)
        assert leaving.is_alive()
    leaving.join(10)
    assert not leaving.is_alive()
    with running.held("mine") as tag:
        assert tag is None


def test_two_statements_that_name_each_others_queries_do_not_wait_for_ever(running: Running) -> None:
    first, second = _query(Handle(None, "handle-1"), "first"), _query(Handle(None, "handle-2"), "second")
    both_hold_one = threading.Barrier(2)

    def hold(one: str, other: str) -> None:
        with running.held(one):
            both_hold_one.wait(10)
            with running.held(other):
                pass

    with running.entered(first), running.entered(second):
        statements = [_in_thread(lambda: hold("first", "second")), _in_thread(lambda: hold("second", "first"))]
        for statement in statements:
            statement.join(10)
        assert not any(statement.is_alive() for statement in statements)
