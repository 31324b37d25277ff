"""The expectations on `raw.events`: what a day of landing data looks like when all is well.

Model logic (keys, accepted values, relations) belongs to dbt's tests; no rule stands in both places.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from governance.quality.outcome import Rule

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation

EXPECTATIONS: Mapping[str, Rule] = {
    rule.name: rule
    for rule in (
        Rule("volume", "The last 24 hours brought as many events as expected.", "warning"),
        Rule("freshness", "The latest event was received recently.", "warning"),
        Rule("received_not_in_future", "No event was received in the future: the collector's clock is right.", "error"),
        Rule("timestamp_not_in_future", "No event happens over 24 hours after it was received.", "error"),
        Rule("timestamp_not_ancient", "Nearly all events happened in the year before they were received.", "warning"),
        Rule("message_id_present", "Every event has a message id, without which nothing can be deduplicated.", "error"),
        Rule("event_name_present", "Every event has a name.", "error"),
        Rule("person_present", "Every event names a user or a device.", "error"),
        Rule("project_present", "Every event belongs to a project.", "error"),
        Rule("sent_at_null_rate", "Most clients say when they sent, so that their clocks can be corrected.", "warning"),
        Rule("properties_are_objects", "Properties, traits and context are JSON objects or absent.", "error"),
        Rule("arrival_delay", "Nearly all events reached the warehouse within 10 minutes.", "warning"),
        Rule("repeated_deliveries", "Few events were delivered more than once.", "warning"),
    )
}

# One row per event with what the expectations look at, and none of what the clients sent: Great Expectations puts
# examples of unexpected values into its results unless told otherwise. Not the collector's canaries, beside which a
# project without any event would look busy. Runs on one day of rows, found by the sort key.
QUERY = """
select
    received_at,
    dateDiff('second', received_at, timestamp) as timestamp_lead_s,
    dateDiff('second', received_at, inserted_at) as arrival_delay_s,
    nullIf(project_id, 0) as project_present,
    if(message_id = '', null, 1) as message_id_present,
    if(event = '', null, 1) as event_name_present,
    if(anonymous_id = '' and user_id = '', null, 1) as person_present,
    if(isNull(sent_at), null, 1) as sent_at_present,
    cityHash64(project_id, message_id) as message,
    toUInt8(
        arrayAll(
            document -> document = '' or (isValidJSON(document) and JSONType(document) = 'Object'),
            [properties, traits, context]
        )
    ) as properties_are_objects
from {landing}.events
where received_at >= now64(3) - interval 1 day and protocol != 'canary'
"""  # fmt: skip


@dataclass(frozen=True, slots=True)
class LandingThresholds:
    """What counts as normal; the defaults suit a project with steady traffic."""

    least_events_per_day: int = 1
    latest_event_age: timedelta = timedelta(hours=1)
    largest_share_without_sent_at: float = 0.5
    largest_share_of_repeats: float = 0.05


def build_expectations(thresholds: LandingThresholds, now: datetime) -> dict[str, "Expectation"]:
    """Return the Great Expectations object of each rule in `EXPECTATIONS`, by its name; `now` is UTC."""
    # Importing takes seconds and 200 MB: only the process that validates pays.
    from great_expectations import expectations  # noqa: PLC0415 - see the line above

    gxe: Any = expectations  # its classes are public by its documentation, but not by its type information

    day_s = 24 * 3600
    # ClickHouse compares its DateTime64 with naive UTC.
    utc = now.replace(tzinfo=None)
    return {
        "volume": gxe.ExpectTableRowCountToBeBetween(min_value=thresholds.least_events_per_day),
        "freshness": gxe.ExpectColumnMaxToBeBetween(column="received_at", min_value=utc - thresholds.latest_event_age),
        "received_not_in_future": gxe.ExpectColumnMaxToBeBetween(
            column="received_at", max_value=utc + timedelta(minutes=1)
        ),
        "timestamp_not_in_future": gxe.ExpectColumnValuesToBeBetween(column="timestamp_lead_s", max_value=day_s),
        "timestamp_not_ancient": gxe.ExpectColumnValuesToBeBetween(
            column="timestamp_lead_s", min_value=-366 * day_s, mostly=0.99
        ),
        "message_id_present": gxe.ExpectColumnValuesToNotBeNull(column="message_id_present"),
        "event_name_present": gxe.ExpectColumnValuesToNotBeNull(column="event_name_present"),
        "person_present": gxe.ExpectColumnValuesToNotBeNull(column="person_present"),
        "project_present": gxe.ExpectColumnValuesToNotBeNull(column="project_present"),
        "sent_at_null_rate": gxe.ExpectColumnValuesToNotBeNull(
            column="sent_at_present", mostly=1 - thresholds.largest_share_without_sent_at
        ),
        "properties_are_objects": gxe.ExpectColumnValuesToBeBetween(column="properties_are_objects", min_value=1),
        "arrival_delay": gxe.ExpectColumnValuesToBeBetween(column="arrival_delay_s", max_value=600, mostly=0.99),
        "repeated_deliveries": gxe.ExpectColumnProportionOfUniqueValuesToBeBetween(
            column="message", min_value=1 - thresholds.largest_share_of_repeats
        ),
    }
