"""Cohorts as they are computed, in both renderings, compared with the reference."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.insights.binding import Placeholders, Scope, literal
from core.insights.definitions import CohortDefinition
from engine.activity import instant, numbered
from engine.event_table import EventTable
from reference.cohorts import Document, Population, cohort
from reference.events import Counted

NOW = datetime(2024, 3, 31, 1, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Tables:
    """The tables of the marts that a cohort is computed from, in one database."""

    events: EventTable

    def name(self, table: str) -> str:
        """Return the address of one."""
        return f"{self.events.name.partition('.')[0]}.{table}"

    def put(self, population: Population) -> int:
        """Insert what is known of a population and return its project's id."""
        project = self.events.put(population.events)
        persons = numbered(list(population.events))
        users = population.users
        person_ids = {person: f"user:{users[person]}" if person in users else person for person in persons}
        self._insert(
            "dim_persons",
            [
                (
                    project,
                    number,
                    person_ids[person],
                    users.get(person, ""),
                    json.dumps(population.traits.get(person, {})),
                )
                for number, person in enumerate(persons)
            ],
        )
        merged = [(project, user, True, f"user:{users[person]}") for user, person in population.merged.items()]
        self._insert("fct_merges", [*merged, (project, "refused", False, "")])
        self._insert("vip", [(project, user) for user in population.lists.get("vip", ())])
        members = population.cohorts.get("cohort_other", ())
        self._insert("cohort_other", [(project, number) for number, name in enumerate(persons) if name in members])
        return project

    def cohorts(self, who: Sequence[Document], populations: Sequence[Population]) -> list[set[str]]:
        """Return who is in a cohort in each of several projects; fail when both renderings do not say the same."""
        projects = [self.put(population) for population in populations]
        definition = CohortDefinition(kind="cohort", description="d", who=who)  # pyright: ignore[reportArgumentType]
        scope = Scope(bind=literal, relation=self.name, project="project_id", now=instant(literal, NOW))
        of_these = f"project_id in ({', '.join(map(str, projects))}) and {definition.sql(scope)}"
        written = set(self._query(scope.persons("dim_persons", of_these)))
        bound: set[tuple[int, int]] = set()
        for project in projects:
            values = Placeholders()
            scope = Scope(
                bind=values,
                relation=self.name,
                project=values(project, "UInt32"),
                now=instant(values, NOW),
            )
            bound |= set(self._query(scope.persons("dim_persons", definition.sql(scope)), values.parameters))
        assert written == bound
        names = [numbered(list(population.events)) for population in populations]
        found: list[set[str]] = [set() for _ in populations]
        for project, number in written:
            place = projects.index(project)
            found[place].add(names[place][number])
        return found

    def _query(self, sql: str, parameters: dict[str, Any] | None = None) -> list[tuple[int, int]]:
        return [(int(row[0]), int(row[1])) for row in self.events.client.query(sql, parameters=parameters).result_rows]

    def _insert(self, table: str, rows: Sequence[Sequence[object]]) -> None:
        if rows:
            self.events.client.insert(self.name(table), rows)


@pytest.fixture(scope="module")
def tables(table: EventTable) -> Iterator[Tables]:
    """Create the tables beside that of events."""
    made = Tables(table)
    columns = {
        "dim_persons": "project_id UInt32, person_number UInt32, person_id String, user_id String, traits String",
        "fct_merges": "project_id UInt32, previous_id String, is_merged Bool, person_id String",
        "vip": "project_id UInt32, user_id String",
        "cohort_other": "project_id UInt32, person_number UInt32",
    }
    for name, described in columns.items():
        table.client.command(f"create table {made.name(name)} ({described}) engine = MergeTree order by project_id")
    yield made
    for name in columns:
        table.client.command(f"drop table {made.name(name)}")


def did(person: str, *events: tuple[str, float], **more: Any) -> list[Counted]:
    """Return the events of a person: their names, and how many minutes before now they were."""
    return [
        Counted(
            message_id=f"{person}{number}",
            event=name,
            person=person,
            timestamp=NOW - minutes * MINUTE,
            received_at=NOW,
            sequence=number,
            **more,
        )
        for number, (name, minutes) in enumerate(events)
    ]


def in_order(tables: Tables, sequence: Any, *histories: list[Counted]) -> set[str]:
    """Return who did something in order, of those whose histories are given."""
    events = [event for history in histories for event in history]
    [found] = tables.cohorts([{"did_in_order": sequence}], [Population(events=events)])
    return found


def test_steps_count_in_their_order_and_other_events_may_come_between(tables: Tables) -> None:
    found = in_order(
        tables,
        ["a", "b", "c"],
        did("did", ("a", 9), ("x", 8), ("b", 7), ("a", 6), ("c", 5)),
        did("other way", ("c", 9), ("b", 8), ("a", 7)),
        did("lacks one", ("a", 9), ("c", 8)),
    )
    assert found == {"did"}


def test_at_one_instant_the_order_in_which_they_were_sent_decides(tables: Tables) -> None:
    found = in_order(tables, ["a", "b"], did("did", ("a", 5), ("b", 5)), did("did not", ("b", 5), ("a", 5)))
    assert found == {"did"}


def test_one_event_is_one_step(tables: Tables) -> None:
    found = in_order(tables, ["a", "a"], did("once", ("a", 5)), did("twice", ("a", 5), ("a", 5)))
    assert found == {"twice"}
    any_event = [{}, {"event": ["a", "b"]}]
    assert in_order(tables, any_event, did("once", ("a", 5)), did("twice", ("x", 5), ("b", 5))) == {"twice"}


def test_the_window_includes_its_end(tables: Tables) -> None:
    sequence = {"steps": ["a", "b", "c"], "window": "2min"}
    late = 2 - 1 / 60_000
    found = in_order(
        tables,
        sequence,
        did("in time", ("a", 4), ("b", 3), ("c", 2)),
        did("too late", ("a", 4), ("b", 3), ("c", late)),
    )
    assert found == {"in time"}


def test_a_later_first_step_may_be_in_time_where_an_earlier_one_is_not(tables: Tables) -> None:
    sequence = {"steps": ["a", "b", "c"], "window": "2min"}
    found = in_order(
        tables,
        sequence,
        did("later", ("a", 9), ("b", 8), ("a", 6), ("b", 5), ("c", 4)),
        # The step that would be in time comes after the one that follows it.
        did("never", ("a", 9), ("b", 8), ("a", 6), ("c", 4)),
        # What begins again and gets no further takes nothing back.
        did("earlier", ("a", 6), ("b", 5), ("a", 4.5), ("c", 4)),
    )
    assert found == {"later", "earlier"}


def test_all_of_the_steps_lie_within_the_time_up_to_now(tables: Tables) -> None:
    sequence = {"steps": ["a", "b"], "within": "5min"}
    found = in_order(tables, sequence, did("within", ("a", 5), ("b", 1)), did("before", ("a", 6), ("b", 1)))
    assert found == {"within"}


def test_a_list_finds_persons_by_the_ids_that_they_had_too(tables: Tables) -> None:
    population = Population(
        events=[event for person in ("ann", "bob", "cat", "anonymous") for event in did(person, ("a", 1))],
        users={"ann": "007", "bob": "bob", "cat": "cat"},
        merged={"old bob": "bob", "older bob": "bob"},
        lists={"vip": frozenset({"007", "older bob", "7", "nobody", "refused", ""})},
    )
    elsewhere = Population(events=did("cat", ("a", 1)), users={"cat": "007"})
    assert tables.cohorts([{"listed": "vip"}], [population, elsewhere]) == [{"ann", "bob"}, set()]


lengths = st.sampled_from(["1min", "2min", "3min", "5min", "1h"])
conditions = st.sampled_from(
    [{"property": "plan", "value": "pro"}, {"trait": "tier", "value": "gold"}, {"cohort": "cohort_other"}]
)
selections: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from("abb"),
    st.sampled_from("abc"),
    st.fixed_dictionaries(
        {},
        optional={
            "event": st.one_of(st.sampled_from("abc"), st.just(["b", "c"])),
            "where": st.lists(conditions, min_size=1, max_size=2),
        },
    ),
)


def chosen(required: dict[str, st.SearchStrategy[Any]], **optional: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return a strategy for a selection in its long form with other keys."""

    def joined(selection: Any, more: dict[str, Any]) -> dict[str, Any]:
        return ({"event": selection} if isinstance(selection, str) else selection) | more

    return st.builds(joined, selections, st.fixed_dictionaries(required, optional=optional))


behaviours = st.one_of(st.sampled_from("abc"), chosen({}, at_least=st.integers(1, 3), within=lengths))
steps = st.lists(selections, min_size=2, max_size=4)
sequences = st.one_of(
    steps,
    st.fixed_dictionaries({"steps": steps}, optional={"window": st.sampled_from(["1min", "2min"]), "within": lengths}),
)
criteria: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.one_of(
        st.fixed_dictionaries({"did_in_order": sequences}),
        st.fixed_dictionaries({"did": behaviours}),
        st.fixed_dictionaries({"did_not": behaviours}),
        st.fixed_dictionaries({"first_did": chosen({"within": lengths})}),
        st.sampled_from([{"trait": "tier", "value": "gold"}, {"cohort": "cohort_other"}, {"listed": "vip"}]),
    ),
    lambda inner: st.one_of(
        *(st.fixed_dictionaries({word: st.lists(inner, min_size=1, max_size=3)}) for word in ("all", "any", "none"))
    ),
    max_leaves=5,
)


@st.composite
def populations(draw: st.DrawFn) -> Population:
    """Draw few names, persons and instants: ties and repeats are common."""
    event = st.tuples(
        st.sampled_from("aabbcx"),
        st.sampled_from("pqs"),
        st.integers(-6, 1),
        st.integers(0, 1),
        st.integers(0, 1),
        st.sampled_from(["pro", "free"]),
    )
    drawn = draw(st.one_of(st.lists(event, max_size=4), st.lists(event, min_size=10, max_size=25)))
    persons = {person for _, person, *_ in drawn}
    # s stays anonymous.
    users = {person: person.upper() for person in persons - {"s"}}
    ids = st.sampled_from(["P", "Q", "old", "older", "nobody", "refused", "", "s"])
    some = st.frozensets(st.sampled_from("pqs"))
    into = st.sampled_from(sorted(users)) if users else st.nothing()
    return Population(
        events=[
            Counted(
                message_id=f"m{number}",
                event=name,
                person=person,
                timestamp=NOW + minutes * MINUTE,
                received_at=NOW + timedelta(seconds=seconds),
                sequence=sequence,
                properties={"plan": plan},
            )
            for number, (name, person, minutes, seconds, sequence, plan) in enumerate(drawn)
        ],
        traits={person: {"tier": draw(st.sampled_from(["gold", "tin"]))} for person in draw(some)},
        users=users,
        merged=draw(st.dictionaries(st.sampled_from(["old", "older"]), into)) if users else {},
        lists={"vip": draw(st.frozensets(ids))},
        cohorts={"cohort_other": draw(some)},
    )


# Half of them of the one criterion that is hard to get right.
definitions = st.one_of(
    st.fixed_dictionaries({"did_in_order": sequences}).map(lambda criterion: [criterion]),
    st.lists(criteria, min_size=1, max_size=2),
)


@given(who=definitions, drawn=st.lists(populations(), min_size=1, max_size=2))
def test_every_cohort_holds_those_whom_the_definition_names(
    tables: Tables, who: list[Document], drawn: list[Population]
) -> None:
    assert tables.cohorts(who, drawn) == [cohort(who, population, NOW) for population in drawn]
