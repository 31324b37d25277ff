from datetime import UTC, datetime, timedelta

from engine.event_table import EventTable, sql_instant
from engine.insight_macros import render
from reference.events import Counted

START = datetime(2024, 5, 1, tzinfo=UTC)


def test_event_names_come_by_frequency_with_exact_persons_of_one_project_and_a_half_open_window(
    table: EventTable,
) -> None:
    drawn = [("home", "ann", 0), ("cart", "ann", 1), ("cart", "ann", 2), ("cart", "bob", 3), ("late", "bob", 60)]
    events = [
        Counted(
            message_id=f"m{number}",
            event=name,
            person=person,
            timestamp=START + timedelta(minutes=minute),
            received_at=START,
        )
        for number, (name, person, minute) in enumerate(drawn)
    ]
    project = table.put(events)
    table.put([Counted(message_id="x", event="other", person="eve", timestamp=START, received_at=START)])
    sql = render(
        "insights_event_names",
        relation=table.name,
        project="{project_id:UInt32}",
        start=sql_instant(START),
        end=sql_instant(START + timedelta(hours=1)),
    )
    rows = table.client.query(sql, parameters={"project_id": project}).result_rows
    assert rows == [("cart", 3, 2), ("home", 1, 1)]
