"""Marts of definitions, built by dbt and counted by hand."""

import dataclasses
import json
from collections.abc import Generator
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from core import warehouse
from core.insights.lists import LISTS
from core.insights.marts import DEFINITIONS, write_marts
from engine.dbt_runs import copy_project
from engine.landing import MODELS, Landing, landing
from runtime.instance import Instance

pytestmark = pytest.mark.slow

DAY = datetime.now(UTC).date() - timedelta(days=3)
NOON = datetime.combine(DAY, time(12), UTC)
DEFINED = {
    "funnel_held": """
        kind: funnel
        description: From a view of the pro plan to a purchase with the same cart.
        steps:
          - {event: view, where: [{property: plan, value: pro}]}
          - {event: [buy, gift], name: bought}
        window: 2d
        exclude: [{event: refund, effect: drop_attempt}]
        hold_constant: [{property: cart}]
        breakdown: {trait: plan, top: 5}
    """,
    "funnel_other": """
        kind: funnel
        description: Of another project.
        projects: [2]
        steps: [view, buy]
    """,
    "retention_bought": """
        kind: retention
        description: Who buys after the first view.
        start: view
        returning: buy
        period: day
        periods: 2
    """,
    "retention_rolling": """
        kind: retention
        description: Who buys within whole days of a view of the pro plan.
        start: {event: view, where: [{property: plan, value: pro}]}
        returning: buy
        period: day
        periods: 1
        cohort: recurring
        clock: rolling
        breakdown: {property: plan}
    """,
    "retention_hourly": """
        kind: retention
        description: Who does anything within hours of the first view.
        start: view
        period: hour
        periods: 2
    """,
    "trend_revenue": """
        kind: trend
        description: What purchases bring.
        interval: day
        last: 5
        series:
          - {name: buys, event: buy}
          - {name: buyers, event: buy, measure: persons}
          - {name: revenue, event: [buy, gift], measure: sum, of: {property: total}}
        formulas:
          - {name: revenue_per_buyer, formula: C / B}
    """,
    "trend_plans": """
        kind: trend
        description: Views by plan.
        last: 5
        series: [{name: views, event: view}]
        breakdown: [{property: plan}]
    """,
    "trend_conditions": """
        kind: trend
        description: Views, chosen by conditions that hold for all of them.
        last: 5
        series:
          - name: views
            event: view
            where:
              - {session: events, operator: gte, value: 1}
              - none:
                  - {group_type: company, group_trait: tier, operator: is_set}
                  - {property: plan, operator: before, value: tomorrow}
                  - {property: plan, operator: after, value: -7d}
    """,
    "cohort_buyers": """
        kind: cohort
        description: Who bought within the last 30 days.
        who: [{did: {event: [buy, gift], within: 30d}}]
    """,
    "cohort_paying": """
        kind: cohort
        description: Buyers on a paid plan who asked for no money back.
        who:
          - {cohort: cohort_buyers}
          - {trait: plan, value: [team, pro]}
          - {did_not: refund}
    """,
    "cohort_twice": """
        kind: cohort
        description: Who saw two things, or is new and looked at the pro plan.
        who:
          - any:
              - {did: {event: view, at_least: 2}}
              - {first_did: {event: view, where: [{property: plan, value: pro}], within: 48h}}
    """,
    "cohort_nobody": """
        kind: cohort
        description: Who bought in the last second.
        who: [{did: {event: buy, within: 1s}}, {none: [{cohort: cohort_paying}]}]
    """,
    "cohort_came_back": """
        kind: cohort
        description: Who viewed the pro plan and then looked again, within two hours.
        who: [{did_in_order: {steps: [{event: view, where: [{property: plan, value: pro}]}, view], window: 2h}}]
    """,
    "cohort_chosen": """
        kind: cohort
        description: Who is on a list.
        who: [{listed: chosen}]
    """,
    "cohort_kept": """
        kind: cohort
        description: Who had bought when it was computed.
        static: true
        who: [{cohort: cohort_buyers}]
    """,
    "funnel_of_buyers": """
        kind: funnel
        description: Of those who buy.
        steps: [{event: view, where: [{cohort: cohort_buyers}, {none: [{cohort: cohort_paying}]}]}, buy]
    """,
    "funnel_of_companies": """
        kind: funnel
        description: Companies from a view to a purchase.
        group_type: company
        steps: [view, buy]
    """,
    "retention_of_companies": """
        kind: retention
        description: Companies that buy after a view.
        group_type: company
        start: view
        returning: buy
        period: day
        periods: 1
    """,
    "trend_of_companies": """
        kind: trend
        description: How many companies do something.
        group_type: company
        last: 5
        series: [{name: active, measure: persons}]
    """,
    "lifecycle_of_companies": """
        kind: lifecycle
        description: Which companies are new, come back and are gone.
        group_type: company
        last: 5
    """,
    "stickiness_of_companies": """
        kind: stickiness
        description: On how many days companies do something.
        group_type: company
        last: 5
    """,
    "agg_plans": """
        kind: rollup
        description: Events by plan.
        by: [{name: plan, property: plan}]
        sums: [{name: total, property: total}]
    """,
}

# Ids that look like numbers, one that was merged, one that nobody has, one of another project.
LISTS_OF_USERS = {
    "chosen": 'project_id,user_id\n1,007\n1,cathy\n1,nobody\n2,ann\n1,"o\'neil, ""x"""\n',
    "nobody": "project_id,user_id\n",
}

COMPANIES = {"ann": "acme", "bob": "acme", "007": "bolt"}


def sent(user: str, name: str, hours: float = 0, **properties: Any) -> dict[str, object]:
    """Return a landing row of project 1."""
    at = (NOON + timedelta(hours=hours)).strftime("%Y-%m-%d %H:%M:%S.000")
    return {
        "project_id": 1,
        "message_id": f"{user}-{name}-{hours}-{properties}",
        "type": "identify" if name == "$identify" else "track",
        "event": name,
        "user_id": user,
        "group_type": "company" if user in COMPANIES else "",
        "group_id": COMPANIES.get(user, ""),
        "timestamp": at,
        "received_at": at,
        "inserted_at": NOON.strftime("%Y-%m-%d %H:%M:%S.000"),
        "traits" if name == "$identify" else "properties": json.dumps(properties),
    }


EVENTS = [
    sent("ann", "$identify", plan="team"),
    sent("ann", "view", plan="pro", cart="1"),
    sent("ann", "buy", 24, cart="1", total=10),
    sent("bob", "$identify", plan="free"),
    sent("bob", "view", 0.1, plan="pro", cart="2"),
    # Another cart than the one that was held.
    sent("bob", "buy", 1, cart="3", total=5),
    sent("cat", "view", 0.2, plan="free"),
    sent("cat", "view", 2, plan="pro", cart="4"),
    sent("cat", "refund", 2.5, cart="4"),
    sent("cat", "gift", 3, cart="4", total=0.5),
    # No number, whatever it reads as.
    sent("cat", "view", 4, plan="free", total="nan"),
    sent("cat", "$alias", 5) | {"type": "alias", "previous_id": "cathy"},
    *(sent(user, "browse") for user in ("007", "7", 'o\'neil, "x"')),
]


@pytest.fixture(scope="module")
def made(runtime: Instance, tmp_path_factory: pytest.TempPathFactory) -> Generator[Landing]:
    """Build the project with these definitions."""
    root = tmp_path_factory.mktemp("defined")
    copy_project(root / "project")
    for name, text in DEFINED.items():
        (root / "project" / DEFINITIONS / f"{name}.yml").write_text(text)
    for name, text in LISTS_OF_USERS.items():
        (root / "project" / LISTS / f"{name}.csv").write_text(text)
    assert write_marts(root / "project")[1] == []
    with warehouse.connect(runtime.clickhouse_url) as client, landing(runtime, client) as given:
        landed = dataclasses.replace(given, project=root / "project", directory=root)
        landed.set_project(1, timezone="UTC")
        landed.land(*EVENTS)
        landed.dbt(*MODELS)
        yield landed


def rows(made: Landing, columns: str, mart: str, order: str) -> list[tuple[object, ...]]:
    return made.rows(f"select {columns} from {{marts}}.{mart} order by {order}")


def test_a_funnel_holds_drops_and_tells_apart(made: Landing) -> None:
    found = rows(made, "breakdown, step, step_name, persons, lost_persons", "funnel_held", "breakdown, step")
    assert found == [
        ("free", 1, "view", 1, 1),
        ("free", 2, "bought", 0, 0),
        ("team", 1, "view", 1, 0),
        ("team", 2, "bought", 1, 0),
    ]


def test_a_definition_of_another_project_counts_nothing_here(made: Landing) -> None:
    assert rows(made, "*", "funnel_other", "1") == []


def test_retention_of_named_events_is_read_off_the_rollup(made: Landing) -> None:
    found = rows(made, "cohort_date, period_index, persons, cohort_size", "retention_bought", "1, 2")
    assert found == [(DAY, 0, 3, 3), (DAY, 1, 1, 3), (DAY, 2, 0, 3)]


def test_rolling_retention_is_asked_of_events(made: Landing) -> None:
    found = rows(made, "breakdown, cohort_date, period_index, persons, cohort_size", "retention_rolling", "2, 3")
    assert found == [("pro", DAY, 0, 3, 3), ("pro", DAY, 1, 1, 3)]


def test_retention_by_hours_tells_the_hours_of_a_day_apart(made: Landing) -> None:
    found = rows(made, "cohort_at, cohort_date, period_index, persons, cohort_size", "retention_hourly", "1, 3")
    # Of ann, bob and cat, who view within the same hour, bob buys in the next one, and cat views in the one after it.
    assert found == [(NOON, DAY, 0, 3, 3), (NOON, DAY, 1, 1, 3), (NOON, DAY, 2, 1, 3)]


def test_groups_are_counted_in_place_of_persons(made: Landing) -> None:
    assert rows(made, "step, persons", "funnel_of_companies", "1") == [(1, 1), (2, 1)]
    found = rows(made, "cohort_date, period_index, persons, cohort_size", "retention_of_companies", "1, 2")
    assert found == [(DAY, 0, 1, 1), (DAY, 1, 1, 1)]
    days = [DAY + timedelta(days=distance) for distance in range(-1, 4)]
    counts = zip(days, [0, 2, 1, 0, 0], strict=True)
    assert rows(made, "bucket_date, active", "trend_of_companies", "1") == list(counts)
    statuses = "bucket_date, new_persons, returning_persons, dormant_persons"
    found = rows(made, statuses, "lifecycle_of_companies", "1")
    assert [row for row in found if any(row[1:])] == [(days[1], 2, 0, 0), (days[2], 0, 1, -1), (days[3], 0, 0, -1)]
    found = rows(made, "buckets, persons", "stickiness_of_companies", "1")
    assert [row for row in found if row[1]] == [(1, 1), (2, 1)]


def test_a_trend_has_its_series_and_formulas_by_name(made: Landing) -> None:
    found = rows(made, "bucket_date, buys, buyers, revenue, revenue_per_buyer", "trend_revenue", "1")
    first = DAY - timedelta(days=1)
    assert found == [
        (first, 0, 0, 0, None),
        (DAY, 1, 1, 5.5, 5.5),
        (first + timedelta(days=2), 1, 1, 10, 10),
        (first + timedelta(days=3), 0, 0, 0, None),
        (first + timedelta(days=4), 0, 0, 0, None),
    ]


def test_a_trend_is_told_apart_by_values(made: Landing) -> None:
    found = rows(made, "bucket_date, breakdown_1, rank, views", "trend_plans where views > 0", "rank")
    assert found == [(DAY, "pro", 1, 3), (DAY, "free", 2, 2)]


def people(made: Landing, cohort: str) -> set[object]:
    return {
        row[0]
        for row in made.rows(
            f"select user_id from {{marts}}.{cohort} inner join {{marts}}.dim_persons using (project_id, person_number)"
        )
    }


def test_a_cohort_holds_who_did_and_did_not(made: Landing) -> None:
    assert people(made, "cohort_buyers") == {"ann", "bob", "cat"}
    assert people(made, "cohort_paying") == {"ann"}
    assert people(made, "cohort_nobody") == set()
    # The first views are more than two days old: only cat saw two things.
    assert people(made, "cohort_twice") == {"cat"}
    assert people(made, "cohort_came_back") == {"cat"}


def test_a_list_is_of_users_whatever_their_ids_look_like(made: Landing) -> None:
    assert people(made, "cohort_chosen") == {"007", "cat", 'o\'neil, "x"'}
    assert rows(made, "project_id, user_id", "chosen", "1, 2")[:2] == [(1, "007"), (1, "cathy")]
    assert rows(made, "*", "nobody", "1") == []


def test_events_are_chosen_by_the_cohort_of_their_persons(made: Landing) -> None:
    assert rows(made, "step, persons", "funnel_of_buyers", "step") == [(1, 2), (2, 1)]


def test_conditions_on_sessions_groups_and_relative_dates_become_the_sql_of_a_model(made: Landing) -> None:
    [(conditioned,)], [(plain,)] = (rows(made, "sum(views)", name, "1") for name in ("trend_conditions", "trend_plans"))
    assert conditioned == plain == 5


def test_a_rollup_is_repaired_where_late_events_came(made: Landing) -> None:
    columns, order = "event, event_date, plan, events, bitmapCardinality(persons), total_sum", "1, 2, 3"
    next_day = DAY + timedelta(days=1)
    wanted: list[tuple[object, ...]] = [
        ("$alias", DAY, "", 1, 1, 0),
        ("$identify", DAY, "", 2, 2, 0),
        ("browse", DAY, "", 3, 3, 0),
        ("buy", DAY, "", 1, 1, 5),
        ("buy", next_day, "", 1, 1, 10),
        ("gift", DAY, "", 1, 1, 0.5),
        ("refund", DAY, "", 1, 1, 0),
        ("view", DAY, "free", 2, 1, 0),
        ("view", DAY, "pro", 3, 3, 0),
    ]
    assert rows(made, columns, "agg_plans", order) == wanted
    made.land(sent("ann", "view", -1, plan="team") | {"inserted_at": "2026-01-01 00:00:00.000"})
    made.dbt("run", "--select", "+agg_plans")
    assert rows(made, columns, "agg_plans", order) == [*wanted, ("view", DAY, "team", 1, 1, 0)]


def test_every_data_test_of_the_marts_holds(made: Landing) -> None:
    made.dbt("test", "--select", *DEFINED, "--exclude-resource-type", "unit_test")


def test_a_static_cohort_keeps_who_was_in_it_until_its_definition_changes(made: Landing) -> None:
    def computed() -> set[object]:
        return {row[0] for row in rows(made, "computed_at", "cohort_kept", "1")}

    def refresh(*options: str) -> None:
        made.dbt("run", "--select", "+cohort_buyers", "+cohort_kept", *options)

    at_first = computed()
    assert people(made, "cohort_kept") == {"ann", "bob", "cat"}
    then = {"inserted_at": "2026-01-02 00:00:00.000"}
    made.land(sent("dan", "buy") | then, sent("ann", "$alias", 6) | {"type": "alias", "previous_id": "cat"} | then)
    made.erase(1, "bob")
    refresh()
    assert people(made, "cohort_buyers") == {"ann", "dan"}
    assert people(made, "cohort_kept") == {"ann"}
    assert rows(made, "count()", "cohort_kept", "1") == [(1,)]
    refresh("--full-refresh")
    assert (people(made, "cohort_kept"), computed()) == ({"ann"}, at_first)
    file = made.project / DEFINITIONS / "cohort_kept.yml"
    file.write_text(DEFINED["cohort_kept"].replace("cohort: cohort_buyers", "did: buy"))
    write_marts(made.project)
    refresh()
    assert people(made, "cohort_kept") == {"ann", "dan"}
    assert len(computed()) == 1
    assert computed() != at_first
    made.client.command(f"drop table {made.table('marts.cohort_kept')}")
    refresh()
    assert people(made, "cohort_kept") == {"ann", "dan"}
