from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from core.clock import utc_now
from governance.quality import EXPECTATIONS, LandingThresholds, Outcome, validate_landing
from governance.quality.validation import QualityCheckError
from runtime.instance import Instance

# Great Expectations warns about itself.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

Check = Callable[..., dict[str, Outcome]]


@pytest.fixture
def check(runtime: Instance, landing: str) -> Check:
    """Return a function that validates the test's own landing table, by rule."""

    def outcomes(**options: Any) -> dict[str, Outcome]:
        done = validate_landing(runtime.clickhouse_url, landing=landing, **options)
        return {outcome.rule.name: outcome for outcome in done}

    return outcomes


def failed(outcomes: dict[str, Outcome]) -> set[str]:
    return {name for name, outcome in outcomes.items() if not outcome.passed}


def test_sound_events_meet_every_expectation(land: Callable[..., None], check: Check) -> None:
    land(*({} for _ in range(20)))
    outcomes = check()
    assert list(outcomes) == list(EXPECTATIONS)
    assert failed(outcomes) == set()


NOW = utc_now()


@pytest.mark.parametrize(
    ("difference", "rules"),
    [
        ({"message_id": ""}, {"message_id_present"}),
        ({"event": ""}, {"event_name_present"}),
        ({"anonymous_id": ""}, {"person_present"}),
        ({"project_id": 0}, {"project_present"}),
        ({"properties": "[1]"}, {"properties_are_objects"}),
        ({"context": "{broken"}, {"properties_are_objects"}),
        ({"timestamp": NOW + timedelta(days=2)}, {"timestamp_not_in_future"}),
        ({"timestamp": NOW - timedelta(days=800)}, {"timestamp_not_ancient"}),
        ({"received_at": NOW - timedelta(minutes=30)}, {"arrival_delay"}),
    ],
)
def test_a_bad_event_fails_the_rule_that_it_breaks(
    land: Callable[..., None], check: Check, difference: dict[str, Any], rules: set[str]
) -> None:
    land(difference, *({} for _ in range(20)))
    assert failed(check()) == rules


def test_an_event_received_in_the_future_is_an_error(land: Callable[..., None], check: Check) -> None:
    land({"received_at": utc_now() + timedelta(minutes=10)})
    outcomes = check()
    assert failed(outcomes) == {"received_not_in_future"}
    assert outcomes["received_not_in_future"].rule.severity == "error"


def test_silence_fails_volume_and_freshness_as_warnings(check: Check) -> None:
    outcomes = check()
    assert {"volume", "freshness"} <= failed(outcomes)
    assert all(outcomes[name].rule.severity == "warning" for name in ("volume", "freshness"))


def test_repeated_deliveries_are_noticed(land: Callable[..., None], check: Check) -> None:
    land(*({"message_id": f"m{n % 15}"} for n in range(20)))
    assert failed(check()) == {"repeated_deliveries"}


def test_clients_that_never_say_when_they_sent_are_noticed(land: Callable[..., None], check: Check) -> None:
    land(*({"sent_at": None} for _ in range(20)))
    assert failed(check()) == {"sent_at_null_rate"}


def test_thresholds_can_be_set(land: Callable[..., None], check: Check) -> None:
    land(*({"sent_at": None} for _ in range(20)))
    assert failed(check(thresholds=LandingThresholds(least_events_per_day=21, largest_share_without_sent_at=1.0))) == {
        "volume"
    }


def test_no_value_of_an_event_gets_into_an_outcome(land: Callable[..., None], check: Check) -> None:
    land({"user_id": "anna@example.org", "event": "", "properties": "anna@example.org"})
    outcomes = check()
    assert failed(outcomes) >= {"event_name_present", "properties_are_objects"}
    assert "anna" not in str(outcomes)


def test_a_warehouse_that_cannot_be_asked_is_an_error_not_a_failed_check(runtime: Instance) -> None:
    with pytest.raises(QualityCheckError):
        validate_landing(runtime.clickhouse_url, landing="no_such_database")
