"""An engine that is away is asked by few, and its return is noticed."""

import time

import pytest

from core.breaker import Breaker
from core.errors import UnavailableError


def _ask(breaker: Breaker, error: BaseException | None = None) -> None:
    with breaker.passed():
        if error is not None:
            raise error


def _fail(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        with pytest.raises(UnavailableError):
            _ask(breaker, UnavailableError("x"))


def test_it_opens_after_failures_in_a_row_alone() -> None:
    breaker = Breaker("x", failures=3, seconds=60)
    _fail(breaker, 2)
    _ask(breaker)
    _fail(breaker, 2)
    with pytest.raises(ValueError, match="a wrong question"):
        _ask(breaker, ValueError("a wrong question"))
    _fail(breaker, 2)
    assert not breaker.is_open
    _fail(breaker, 1)
    assert breaker.is_open
    with pytest.raises(UnavailableError) as turned_away:
        _ask(breaker, AssertionError("nobody is let through"))
    assert turned_away.value.extra == {"missing": ["x"]}


def test_one_at_a_time_sees_whether_the_engine_is_back() -> None:
    breaker = Breaker("x", failures=1, seconds=0.05)
    _fail(breaker, 1)
    time.sleep(0.06)
    with breaker.passed(), pytest.raises(UnavailableError):
        _ask(breaker)
    assert not breaker.is_open


def test_a_try_that_fails_or_leaves_keeps_it_open() -> None:
    breaker = Breaker("x", failures=1, seconds=0.05)
    _fail(breaker, 1)
    for error in (UnavailableError("x"), KeyboardInterrupt()):
        time.sleep(0.06)
        with pytest.raises(type(error)):
            _ask(breaker, error)
        assert breaker.is_open
        with pytest.raises(UnavailableError):
            _ask(breaker)
    time.sleep(0.06)
    _ask(breaker)
    assert not breaker.is_open
