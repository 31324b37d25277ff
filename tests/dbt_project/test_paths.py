"""Paths against the reference, over short histories with ties, repeats and shared sessions."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import given
from hypothesis import strategies as st

from engine.event_table import EventTable, milliseconds
from engine.insight_macros import render
from engine.renderings import Bind, ask
from reference.events import Counted
from reference.paths import Question, Row, fits, grouped, paths

START = datetime(2024, 5, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PATHS = ["/", "/pricing", "/product/1", "/product/2", "/product/2/reviews", ""]
GROUPS = ["/product/*", "/p**", "/*"]
NAMES = [*PATHS[:4], *GROUPS]


@st.composite
def histories(draw: st.DrawFn) -> list[Counted]:
    who = st.tuples(st.sampled_from("pqr"), st.sampled_from("st"), st.sampled_from("gh"))
    # Sessions begin before the range, and go on after it; only few instants, so that ties are common.
    minutes = st.integers(-5, 30)
    drawn = draw(st.lists(st.tuples(who, st.sampled_from(PATHS), minutes, st.integers(0, 2)), max_size=30))
    return [
        Counted(
            message_id=f"m{place}",
            event="view",
            person=person,
            session=session,
            group=group,
            path=path,
            timestamp=START + minute * MINUTE,
            received_at=START,
            sequence=sequence,
        )
        for place, ((person, session, group), path, minute, sequence) in enumerate(drawn)
    ]


@st.composite
def questions(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "end": START + draw(st.integers(1, 20)) * MINUTE,
        "window": draw(st.sampled_from([None, 0 * MINUTE, 4 * MINUTE, 15 * MINUTE])),
        "groups": draw(st.lists(st.sampled_from(GROUPS), max_size=2, unique=True)),
        "excluded": draw(st.sampled_from([None, "/pricing", "/product/1"])),
        "start_point": draw(st.sampled_from([None, None, *NAMES])),
        "end_point": draw(st.sampled_from([None, None, *NAMES])),
        "max_steps": draw(st.integers(1, 6)),
        "min_sequences": draw(st.integers(1, 2)),
        "actor": draw(st.sampled_from(["person_number", "group_id"])),
    }


def sql(bind: Bind, table: EventTable, project: int, asked: Mapping[str, Any]) -> dict[str, Any]:
    window, excluded, points = asked.get("window"), asked.get("excluded"), ("start_point", "end_point")
    return {
        "relation": table.name,
        "project": bind(project, "UInt32"),
        "node": "page_path",
        "start": f"fromUnixTimestamp64Milli({bind(milliseconds(START), 'Int64')}, 'UTC')",
        "end": f"fromUnixTimestamp64Milli({bind(milliseconds(asked['end']), 'Int64')}, 'UTC')",
        "within": "session" if window is None else "window",
        "window_ms": bind((window or timedelta()) // timedelta(milliseconds=1), "Int64"),
        "exclude": "false" if excluded is None else f"page_path = {bind(excluded, 'String')}",
        "groups": [bind(group, "String") for group in asked.get("groups", [])],
        "max_steps": bind(asked.get("max_steps", 5), "UInt8"),
        "min_sequences": bind(asked.get("min_sequences", 1), "UInt64"),
        "actor": asked.get("actor", "person_number"),
    } | {point: bind(asked[point], "String") for point in points if asked.get(point) is not None}


def rows(client: Client, table: EventTable, project: int, asked: Mapping[str, Any]) -> list[Row]:
    """Ask both renderings; the labels are checked here against what they are made of."""
    found: list[Row] = []
    for row in ask(client, "insights_paths", lambda bind: sql(bind, table, project, asked)):
        position, name, next_name = row["position"], row["name"], row["next_name"]
        assert row["node"] == f"{position} {name}"
        assert row["next_node"] == (None if next_name is None else f"{position + 1} {next_name}")
        found.append(Row(position, name, next_name, row["sequences"], row["avg_ms"], row["drop_offs"]))
    return found


def expected(history: list[Counted], asked: Mapping[str, Any]) -> set[Row]:
    plain = {name: value for name, value in asked.items() if name not in {"groups", "excluded", "actor"}}
    question = Question(
        name=lambda event: grouped(event.path, asked["groups"]) if event.path else "",
        excludes=lambda event: event.path == asked["excluded"],
        actor=(lambda event: event.group) if asked["actor"] == "group_id" else (lambda event: event.person),
        start=START,
        **plain,
    )
    return paths(history, question)


@given(history=histories(), asked=questions())
def test_every_path_equals_the_one_that_is_walked_sequence_by_sequence(
    client: Client, table: EventTable, history: list[Counted], asked: dict[str, Any]
) -> None:
    got = rows(client, table, table.put(history), asked)
    wanted = expected(history, asked)
    assert len(got) == len(wanted)
    by_node = {(row.position, row.name, row.next_name): row for row in wanted}
    for row in got:
        other = by_node[row.position, row.name, row.next_name]
        assert (row.sequences, row.drop_offs) == (other.sequences, other.drop_offs)
        assert row.avg_ms == (None if other.avg_ms is None else pytest.approx(other.avg_ms))


@given(
    pattern=st.text(alphabet="ab*/.\n\\(", max_size=8),
    candidates=st.lists(st.text(alphabet="ab/.\n\\(*", max_size=8), min_size=1, max_size=20),
)
def test_a_pattern_fits_what_it_fits_character_by_character(
    client: Client, pattern: str, candidates: list[str]
) -> None:
    name = render("insights_path_name", path="path", groups=["{pattern:String}"])
    found = client.query(
        f"select path, {name} from (select arrayJoin({{candidates:Array(String)}}) as path)",
        parameters={"pattern": pattern, "candidates": candidates},
    )
    assert list(found.result_rows) == [(path, pattern if fits(pattern, path) else path) for path in candidates]


def visit(*seen: tuple[str, float], person: str = "ann", session: str = "s") -> list[Counted]:
    """Return one session's page views, given as (path, minute), sent in this order."""
    return [
        Counted(
            message_id=f"{person}{session}{place}",
            event="view",
            person=person,
            session=session,
            path=path,
            timestamp=START + minute * MINUTE,
            received_at=START,
            sequence=place,
        )
        for place, (path, minute) in enumerate(seen)
    ]


def walked(table: EventTable, history: list[Counted], **asked: Any) -> dict[str, tuple[int, float | int | None]]:
    """Return '1 / > 2 /a' or '1 /': (sequences, average minutes or drop-offs)."""
    found: dict[str, tuple[int, float | int | None]] = {}
    for row in rows(table.client, table, table.put(history), {"end": START + timedelta(hours=1)} | asked):
        node = f"{row.position} {row.name}"
        if row.next_name is None:
            found[node] = (row.sequences, row.drop_offs)
        else:
            assert row.avg_ms is not None
            found[f"{node} > {row.position + 1} {row.next_name}"] = (row.sequences, row.avg_ms / 60_000)
    return found


def test_edges_count_sequences_and_know_the_average_time_and_nodes_who_left_there(table: EventTable) -> None:
    history = [
        *visit(("/", 0), ("/pricing", 2)),
        *visit(("/", 0), ("/pricing", 4), ("/signup", 5), person="bob"),
        *visit(("/", 0), session="t"),
    ]
    assert walked(table, history) == {
        "1 /": (3, 1),
        "1 / > 2 /pricing": (2, 3),
        "2 /pricing": (2, 1),
        "2 /pricing > 3 /signup": (1, 1),
        "3 /signup": (1, 1),
    }


def test_exclusions_come_before_repeats_collapse_and_the_first_of_them_gives_the_time(table: EventTable) -> None:
    history = visit(("/", 0), ("/ad", 1), ("/", 2), ("/pricing", 5))
    assert walked(table, history, excluded="/ad") == {
        "1 /": (1, 0),
        "1 / > 2 /pricing": (1, 5),
        "2 /pricing": (1, 1),
    }


def test_repeats_collapse_before_the_steps_are_cut_and_a_cut_is_no_drop_off(table: EventTable) -> None:
    history = visit(("/", 0), ("/", 1), ("/a", 2), ("/b", 3))
    assert walked(table, history, max_steps=2) == {"1 /": (1, 0), "1 / > 2 /a": (1, 2), "2 /a": (1, 0)}


def test_grouped_pages_collapse_as_one(table: EventTable) -> None:
    history = visit(("/product/1", 0), ("/product/2", 1), ("/cart", 2))
    assert walked(table, history, groups=["/product/*"]) == {
        "1 /product/*": (1, 0),
        "1 /product/* > 2 /cart": (1, 2),
        "2 /cart": (1, 1),
    }


def test_a_path_begins_at_the_first_start_point_and_later_ones_are_nodes_of_it(table: EventTable) -> None:
    history = [*visit(("/x", 0), ("/", 1), ("/a", 2), ("/", 3)), *visit(("/x", 0), person="bob")]
    assert list(walked(table, history, start_point="/")) == ["1 /", "1 / > 2 /a", "2 /a", "2 /a > 3 /", "3 /"]


def test_an_end_point_alone_stands_at_the_last_position_and_only_those_who_come_there_count(table: EventTable) -> None:
    history = [
        *visit(("/x", 0), ("/y", 1), ("/z", 2), ("/buy", 3), ("/bye", 4)),
        *visit(("/z", 0), ("/buy", 1), person="bob"),
        *visit(("/z", 0), person="cat"),
    ]
    assert walked(table, history, end_point="/buy", max_steps=3) == {
        "1 /y": (1, 0),
        "1 /y > 2 /z": (1, 1),
        "2 /z": (2, 0),
        "2 /z > 3 /buy": (2, 1),
        "3 /buy": (2, 0),
    }


def test_the_way_from_a_page_back_to_it_wants_two_visits(table: EventTable) -> None:
    history = [*visit(("/", 0), ("/a", 1), ("/", 2), ("/b", 3)), *visit(("/", 0), ("/a", 1), person="bob")]
    assert list(walked(table, history, start_point="/", end_point="/")) == [
        *("1 /", "1 / > 2 /a", "2 /a", "2 /a > 3 /", "3 /"),
    ]


def test_a_session_belongs_to_the_range_in_which_it_begins_and_is_followed_past_its_end(table: EventTable) -> None:
    history = [*visit(("/early", -1), ("/", 1)), *visit(("/", 59), ("/late", 61), person="bob")]
    assert list(walked(table, history)) == ["1 /", "1 / > 2 /late", "2 /late"]


def test_a_window_includes_its_end_and_the_next_event_opens_another(table: EventTable) -> None:
    history = visit(("/", 0), ("/a", 10), ("/b", 10 + 1 / 60_000), ("/c", 11))
    assert list(walked(table, history, window=10 * MINUTE)) == [
        *("1 /", "1 / > 2 /a", "1 /b", "1 /b > 2 /c", "2 /a", "2 /c"),
    ]


def test_rare_edges_are_left_out_and_what_remains_keeps_its_numbers(table: EventTable) -> None:
    history = [
        *visit(("/", 0), ("/a", 1)),
        *visit(("/", 0), ("/a", 1), person="bob"),
        *visit(("/", 0), ("/b", 1), person="cat"),
        *visit(("/", 0), person="dan"),
    ]
    assert walked(table, history, min_sequences=2) == {"1 /": (4, 1), "1 / > 2 /a": (2, 1), "2 /a": (2, 2)}


@pytest.mark.parametrize(
    ("pattern", "path", "does"),
    [
        ("/product/*", "/product/1", True),
        ("/product/*", "/product/", True),
        ("/product/*", "/product/1/reviews", False),
        ("/product/*", "/en/product/1", False),
        ("/product/**", "/product/1/reviews", True),
        ("/*/edit", "/7/edit", True),
        ("/a.b", "/axb", False),
        ("/Shop", "/shop", False),
    ],
)
def test_an_asterisk_stays_within_a_segment_and_two_go_across(
    client: Client, pattern: str, path: str, *, does: bool
) -> None:
    name = render("insights_path_name", path="{path:String}", groups=["{pattern:String}"])
    found = client.query(f"select {name} = {{pattern:String}}", parameters={"pattern": pattern, "path": path})
    assert [bool(row[0]) for row in found.result_rows] == [does]


def test_a_mart_over_all_projects_keeps_them_apart(table: EventTable) -> None:
    projects = [table.put(visit(("/", 0), ("/a", 1))), table.put(visit(("/", 0), ("/b", 1)))]

    def arguments(bind: Bind) -> dict[str, Any]:
        within = f"has({bind(projects, 'Array(UInt32)')}, project_id)"
        wanted = sql(bind, table, 0, {"end": START + timedelta(hours=1)})
        return wanted | {"project": "project_id", "where": within, "keys": ["project_id"]}

    found = ask(table.client, "insights_paths", arguments)
    edges = [(row["project_id"], row["next_node"]) for row in found if row["next_node"] is not None]
    assert edges == [(projects[0], "2 /a"), (projects[1], "2 /b")]
