"""Revenue against the reference, over amounts and currencies as clients write them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.event_table import EventTable
from engine.insight_macros import render
from engine.ranges import of_macro, ranges
from engine.renderings import Bind, ask
from reference.calendar_buckets import utc_offset_s
from reference.events import Counted
from reference.revenue import Question, Row, amount, currency, revenue

START = datetime(2024, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)
ORDERS = ["Order Completed", "bought"]
AMOUNT = render("insights_revenue_amount", event="event", properties="properties")
CURRENCY = render("insights_revenue_currency", properties="properties")
# As JSON holds them: 0.1 and 0.2 are no sum of floats, 0.0000005 is half of what is told apart.
AMOUNTS: list[str | float] = [
    *(0.1, 0.2, 19.99, 0, -5, "7.50", "-0.000001", 0.0000005, 56.99999999999999, 999999999999999.0),
    *("", "many", "nan", "1e-3", "1e3", ".5", ".", "-", "+2.", " 3", "1,5", 1e16, 1234567890.0),
]
BREAKDOWNS: dict[str, Callable[[Counted], str]] = {
    "JSONExtractString(properties, 'country')": lambda event: str(event.properties.get("country", "")),
    "event": lambda event: event.event,
}
PROPERTIES = st.fixed_dictionaries(
    {},
    optional={
        "revenue": st.sampled_from(AMOUNTS),
        "$revenue": st.sampled_from(AMOUNTS),
        "$price": st.sampled_from(AMOUNTS),
        "$quantity": st.sampled_from([1, 3, "2", 0.5, "many", 1234567.0]),
        "total": st.sampled_from(AMOUNTS),
        "currency": st.sampled_from(["EUR", "eur", " usd ", "", "order 17", "€"]),
        "$currency": st.sampled_from(["USD", ""]),
        "country": st.sampled_from(["AT", "DE", "(other)", ""]),
    },
)


def of_days(table: EventTable, timezone: str) -> tuple[str, str]:
    """Return relations like agg_revenue_daily and agg_persons_daily."""
    day = f"toDate32(timestamp, {timezone}) as event_date"
    paid = f"(select *, {AMOUNT} as amount, {CURRENCY} as named from {table.name})"
    return (
        (
            f"(select project_id, event, {day}, if(named = '', '(none)', named) as currency,"
            " countIf(amount >= 0) as orders, groupBitmapStateIf(person_number, ifNull(amount >= 0, false)) as persons,"
            f" assumeNotNull(sum(amount)) as revenue from {paid} where isNotNull(amount)"
            " group by project_id, event, event_date, currency)"
        ),
        (
            f"(select project_id, {day}, count() as events, groupBitmapState(person_number) as persons"
            f" from {table.name} group by project_id, event_date)"
        ),
    )


def found(table: EventTable, project: int, asked: dict[str, Any], *, rolled: bool = False) -> list[Row]:
    """Ask both renderings; averages are checked here."""

    def arguments(bind: Bind) -> dict[str, Any]:
        calendar = of_macro(bind, asked)
        days, active = of_days(table, calendar["timezone"])
        of_events = {"amount": AMOUNT, "currency": CURRENCY, "relation": table.name}
        return (
            calendar
            | ({"relation": days, "active": active, "rolled": True} if rolled else of_events)
            | {
                "project": bind(project, "UInt32"),
                "condition": f"has({bind(ORDERS, 'Array(String)')}, event)",
                "in_currency": bind(asked["currency"], "String") if asked.get("currency") else None,
                "breakdown": asked.get("breakdown", []),
                "top": bind(asked.get("top", 10), "UInt32"),
                "where": f"event != {bind('hidden', 'String')}" if asked.get("hides") else "true",
            }
        )

    rows: list[Row] = []
    for got in ask(table.client, "insights_revenue", arguments):
        row = Row(
            got.get("currency") or asked["currency"],
            got.get("rank", 1),
            bool(got.get("is_other")),
            got.get("breakdown_1", ""),
            got["bucket"],
            *(got[name] for name in ("revenue", "orders", "buyers", "active_persons")),
        )
        averages = (got["average_order_value"], got["revenue_per_buyer"], got["revenue_per_active_person"])
        assert averages == tuple(None if each is None else pytest.approx(each) for each in row.averages)
        assert got["utc_offset_s"] == utc_offset_s(got["bucket"], asked["zone"])
        rows.append(row)
    return rows


def question(asked: dict[str, Any]) -> Question:
    calendar = {name: asked[name] for name in ("start", "end", "interval", "zone", "week_start")}
    return Question(
        **calendar,
        orders=ORDERS,
        active=(lambda event: event.event != "hidden") if asked.get("hides") else (lambda _: True),
        currency=asked.get("currency"),
        value=BREAKDOWNS[asked["breakdown"][0]] if asked.get("breakdown") else None,
        top=asked.get("top", 10),
    )


@st.composite
def histories(draw: st.DrawFn, moments: st.SearchStrategy[datetime]) -> list[Counted]:
    event = st.tuples(st.sampled_from([*ORDERS, "visit", "hidden"]), st.sampled_from("pqr"), moments, PROPERTIES)
    return [
        Counted(message_id=f"m{number}", event=name, person=person, timestamp=at, received_at=at, properties=said)
        for number, (name, person, at, said) in enumerate(draw(st.lists(event, max_size=20)))
    ]


@given(data=st.data(), rolled=st.booleans(), top=st.integers(0, 3))
def test_every_revenue_equals_the_one_that_is_added_order_by_order(
    table: EventTable, *, data: st.DataObject, rolled: bool, top: int
) -> None:
    asked, moments = data.draw(ranges(whole_days=rolled))
    asked |= {"currency": data.draw(st.sampled_from([None, "EUR", "(none)"])), "top": top}
    if not rolled:
        asked |= {"hides": data.draw(st.booleans())}
        asked |= {"breakdown": data.draw(st.lists(st.sampled_from(sorted(BREAKDOWNS)), max_size=1))}
    history = data.draw(histories(moments))
    assert found(table, table.put(history), asked, rolled=rolled) == revenue(history, question(asked))


@given(said=st.lists(PROPERTIES, min_size=20, max_size=20), name=st.sampled_from([*ORDERS, "transaction"]))
def test_an_amount_and_its_currency_are_read_as_the_reference_reads_them(
    table: EventTable, said: list[dict[str, Any]], name: str
) -> None:
    history = [
        Counted(message_id=f"m{place:02}", event=name, person="p", timestamp=START, received_at=START, properties=each)
        for place, each in enumerate(said)
    ]
    sql = f"select {AMOUNT}, {CURRENCY} from {table.name} where project_id = {table.put(history)} order by message_id"
    wanted = [(amount(event), currency(event).replace("(none)", "")) for event in history]
    assert [tuple(row) for row in table.client.query(sql).result_rows] == wanted


def orders(*paid: tuple[str, float | str, str]) -> list[Counted]:
    """Return orders of a day, given as (person, revenue, currency)."""
    return [
        Counted(
            message_id=f"m{place}",
            event="bought",
            person=person,
            timestamp=START + timedelta(minutes=place),
            received_at=START,
            properties={"revenue": brought, "currency": named},
        )
        for place, (person, brought, named) in enumerate(paid)
    ]


def of_a_day(table: EventTable, history: list[Counted], **asked: Any) -> list[Row]:
    calendar = {"start": START, "end": START + DAY, "interval": "day", "zone": ZoneInfo("UTC"), "week_start": 1}
    return found(table, table.put(history), calendar | asked)


def test_cents_add_up_to_the_cent(table: EventTable) -> None:
    """As floating point numbers, ten times 0.1 are 0.9999999999999999."""
    (row,) = of_a_day(table, orders(*[("ann", 0.1, "EUR")] * 10))
    assert row.revenue == Decimal(1)


def test_large_sums_keep_their_cents(table: EventTable) -> None:
    (row,) = of_a_day(table, orders(*[("ann", "99999999999999.99", "EUR")] * 1000))
    assert row.revenue == Decimal("99999999999999990.00")


def test_currencies_are_never_added_up(table: EventTable) -> None:
    history = orders(("ann", 10, "EUR"), ("bob", 20, "usd"), ("bob", 30, ""))
    assert [(row.currency, row.revenue) for row in of_a_day(table, history)] == [
        ("(none)", 30),
        ("EUR", 10),
        ("USD", 20),
    ]
    assert [(row.currency, row.revenue) for row in of_a_day(table, history, currency="USD")] == [("USD", 20)]


def test_a_refund_lowers_the_revenue_and_is_no_order(table: EventTable) -> None:
    (row,) = of_a_day(table, orders(("ann", 10, "EUR"), ("bob", 6, "EUR"), ("ann", -4, "EUR"), ("cat", -1, "EUR")))
    assert (row.revenue, row.orders, row.buyers) == (11, 2, 2)
    assert row.averages == (5.5, 5.5, 11 / 3)


def test_every_currency_is_measured_against_all_who_were_active(table: EventTable) -> None:
    history = [
        *orders(("ann", 10, "EUR"), ("bob", 20, "USD")),
        replace(orders(("cat", 0, ""))[0], event="visit", message_id="v", properties={}),
    ]
    rows = of_a_day(table, history)
    assert [(row.currency, row.active_persons, row.averages[2]) for row in rows] == [
        ("EUR", 3, 10 / 3),
        ("USD", 3, 20 / 3),
    ]


def test_values_are_ranked_by_orders_not_by_visits(table: EventTable) -> None:
    def event(place: int, name: str, country: str) -> Counted:
        (made,) = orders(("ann", 1, "EUR"))
        return replace(
            made, message_id=f"m{place}", event=name, properties=dict(made.properties) | {"country": country}
        )

    history = [*(event(place, "visit", "AT") for place in range(5)), event(9, "bought", "DE")]
    rows = of_a_day(table, history, breakdown=["JSONExtractString(properties, 'country')"], top=1)
    assert [(row.value, row.orders) for row in rows] == [("DE", 1), ("(other)", 0)]


def test_a_report_of_all_projects_has_the_currencies_of_each(table: EventTable) -> None:
    projects = [table.put(orders(("ann", 10, "EUR"))), table.put(orders(("ann", 20, "USD"), ("bob", 1, "USD")))]

    def arguments(bind: Bind) -> dict[str, Any]:
        asked = {"start": START, "end": START + DAY, "interval": "total", "zone": ZoneInfo("UTC"), "week_start": 1}
        return of_macro(bind, asked) | {
            "relation": table.name,
            "project": "project_id",
            "condition": f"event = {bind('bought', 'String')}",
            "where": f"has({bind(projects, 'Array(UInt32)')}, project_id)",
            "amount": AMOUNT,
            "currency": CURRENCY,
            "keys": ["project_id"],
            "compare": "previous",
        }

    rows = [row for row in ask(table.client, "insights_revenue", arguments) if row["period"] == "current"]
    assert [(row["project_id"], row["currency"], row["revenue"], row["active_persons"]) for row in rows] == [
        (projects[0], "EUR", 10, 1),
        (projects[1], "USD", 21, 2),
    ]
