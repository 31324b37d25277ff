import pytest

from ingestion.rates import buckets
from ingestion.rates.buckets import Buckets


class Clock:
    """A clock that only goes when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Return a clock that stands."""
    return Clock()


def test_a_burst_passes_and_then_the_rate(clock: Clock) -> None:
    limited = Buckets(2, clock=clock)
    assert [limited.take("key:a", 4, 1) for _ in range(8)] == [0] * 8
    assert limited.take("key:a", 4, 1) == pytest.approx(0.25)
    passed = 0
    for _ in range(100):
        clock.now += 0.125
        passed += limited.take("key:a", 4, 1) == 0
    assert passed == 50


def test_a_batch_above_the_burst_passes_and_is_paid_for_later(clock: Clock) -> None:
    limited = Buckets(2, clock=clock)
    assert limited.take("key:a", 5, 110) == 0
    assert limited.take("key:a", 5, 1) == pytest.approx(101 / 5)
    clock.now += 20.1
    assert limited.take("key:a", 5, 1) > 0
    clock.now += 0.2
    assert limited.take("key:a", 5, 1) == 0


def test_senders_do_not_meet(clock: Clock) -> None:
    limited = Buckets(1, clock=clock)
    assert limited.take("key:a", 1, 1) == 0
    assert limited.take("key:a", 1, 1) > 0
    assert limited.take("key:b", 1, 1) == 0


def test_a_new_rate_holds_at_once(clock: Clock) -> None:
    limited = Buckets(1, clock=clock)
    limited.take("key:a", 1, 1)
    clock.now += 1
    assert limited.take("key:a", 1000, 1) == 0
    clock.now += 1
    assert limited.take("key:a", 1000, 900) == 0
    clock.now += 1
    assert limited.take("key:a", 1, 1) == 0
    assert limited.take("key:a", 1, 1) > 0


def test_a_rate_below_one_a_second_lets_something_pass(clock: Clock) -> None:
    limited = Buckets(1, clock=clock)
    assert limited.take("key:a", 0.1, 1) == 0
    assert limited.take("key:a", 0.1, 1) == pytest.approx(10)


def test_asking_takes_nothing(clock: Clock) -> None:
    limited = Buckets(1, clock=clock)
    assert [limited.take("key:a", 1, 0) for _ in range(5)] == [0] * 5
    assert limited.take("key:a", 1, 1) == 0
    assert limited.take("key:a", 1, 0) > 0


def test_very_many_senders_are_not_all_remembered(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets, "_MAX_BUCKETS", 100)
    limited = Buckets(1, clock=clock)
    limited.is_told = True
    for number in range(1000):
        limited.take(f"address:{number}", 1, 1)
    assert len(limited.spendings()) == 100


def test_very_many_addresses_do_not_pay_the_debt_of_a_key(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets, "_MAX_BUCKETS", 100)
    limited = Buckets(1, clock=clock)
    assert limited.take("key:1", 1, 1000) == 0
    for number in range(1000):
        limited.take(f"address:{number}", 1, 1)
    assert limited.take("key:1", 1, 1) > 0
