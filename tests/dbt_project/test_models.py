"""The models over many made-up histories at once, each a project of its own, compared with the reference."""

import dataclasses
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import cast
from zoneinfo import ZoneInfo

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from engine.landing import MODELS, Landing, landing
from reference.calendar_buckets import bucket
from reference.catalogue import catalogue
from reference.events import Counted, Event, deduplicate
from reference.funnel import Condition
from reference.funnel_figures import ordered_funnel
from reference.identity import merges, persons
from reference.retention import Retention, retention
from reference.revenue import amount, currency
from reference.sessions import sessions
from reference.traits import group_changes, person_changes
from reference.web import Visit, visits
from runtime.instance import Instance

# One fixture for the whole module: its tests stay on one worker.

STEPS = ["catalog", "product_view", "add_to_cart", "cart", "purchase"]
START = datetime(2024, 3, 30, 22, tzinfo=UTC)
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2026, 1, 1, tzinfo=UTC)
ZONES = ["UTC", "Europe/Berlin", "America/Havana", "Asia/Kathmandu"]
UNIVERSAL = ZoneInfo("UTC")
DELIVERIES = 4
# What events say, as JSON: every type, and texts that look like a number or a date.
PROPERTIES = [
    "",
    '{"plan":"free","amount":1}',
    '{"plan":null,"amount":"1","when":"2024-02-29"}',
    '{"when":"2024-02-29T10:00:00.5+01:00","flags":[true,1],"amount":123456789012345678901}',
    '{"flags":{"a":1},"amount":-2.5,"when":"29.2.2024"}',
    '{"plan":"pr\\u00f6","flags":false,"far":-1e400}',
    '{"revenue":0.1,"currency":"eur"}',
    '{"revenue":"0.2","currency":"EUR"}',
    '{"revenue":-3}',
    '{"$price":1.1,"$quantity":3}',
    '{"revenue":"many"}',
]
TRAITS = [
    "",
    "",
    "",
    '{"plan":"free"}',
    '{"plan":"pro","seats":2}',
    '{"seats":"many"}',
    '{"plan":null,"seats":7,"far":1e999}',
]
TRAITS_ONCE = ["", "", '{"plan":"first","source":"ads"}', '{"source":null,"seats":1}', '{"source":"mail"}']
TRAITS_INCREMENT = ["", "", '{"seats":1}', '{"seats":0.5,"logins":1}']

# Users and devices share names, so that a mix-up of the two would show.
ids = st.sampled_from(["x", "y", "z", "w"])


@dataclass(frozen=True)
class History:
    """A project's settings, now and at first, and what arrives for it, delivery by delivery.

    Before one of the deliveries everything that names one of the ids is erased.
    """

    zone: ZoneInfo
    gap: timedelta
    deliveries: list[list[Event]]
    zone_at_first: ZoneInfo = UNIVERSAL
    gap_at_first: timedelta = timedelta(minutes=30)
    erased: str = ""
    erased_before: int = 1

    @property
    def events(self) -> list[Event]:
        """The events that count."""
        kept = [
            event
            for number, delivery in enumerate(self.deliveries)
            for event in delivery
            if number >= self.erased_before or not self.erased or self.erased not in {event.user_id, event.anonymous_id}
        ]
        return deduplicate(kept)

    @property
    def counted(self) -> list[Counted]:
        """The events with whom they count for."""
        named = persons(self.events)
        in_session = sessions(self.events, named, self.gap)
        return [
            Counted(
                message_id=event.message_id,
                event=event.event,
                person=named[event.message_id],
                timestamp=event.timestamp,
                received_at=event.received_at,
                sequence=event.sequence,
                type=event.type,
                session=" ".join(in_session[event.message_id]),
                properties=json.loads(event.properties or "{}"),
            )
            for event in self.events
        ]


@st.composite
def made_events(draw: st.DrawFn) -> Event:
    kind = draw(st.sampled_from(["track", "track", "track", "page", "identify", "identify", "alias", "group"]))
    carries = draw(st.sampled_from(["device", "user", "both"]))
    has_user = kind not in {"track", "page", "group"} or carries != "device"
    return Event(
        # Few message ids: repeated deliveries, with other contents too, are common.
        message_id=f"m{draw(st.integers(0, 30))}",
        type=kind,
        event=draw(st.sampled_from([*STEPS, "home"])) if kind == "track" else f"${kind}",
        anonymous_id=draw(ids) if kind != "alias" and carries != "user" else "",
        user_id=draw(ids) if has_user else "",
        previous_id=draw(ids) if kind == "alias" else "",
        session_id=draw(st.sampled_from(["", "", "s1", "s2"])),
        # Steps of ten minutes over three days: ties, exact gaps and exact days.
        timestamp=START + timedelta(minutes=10 * draw(st.one_of(st.integers(0, 12), st.integers(0, 432)))),
        # Two hours later is another day.
        received_at=START + timedelta(seconds=draw(st.sampled_from([0, 1, 2, 3, 4, 7200]))),
        sequence=draw(st.integers(0, 2)),
        group_type=draw(st.sampled_from(["company", "team"])) if kind == "group" else "",
        group_id=draw(ids) if kind == "group" else "",
        properties=draw(st.sampled_from(PROPERTIES)),
        traits=draw(st.sampled_from(TRAITS)),
        traits_once=draw(st.sampled_from(TRAITS_ONCE)),
        traits_increment=draw(st.sampled_from(TRAITS_INCREMENT)),
        batch_id=draw(st.sampled_from(["p", "q"])),
    )


@st.composite
def histories(draw: st.DrawFn) -> History:
    deliveries: list[list[Event]] = [[] for _ in range(DELIVERIES)]
    for event in _distinct(draw(st.lists(made_events(), max_size=25))):
        deliveries[draw(st.integers(0, DELIVERIES - 1))].append(event)
    return History(
        zone=ZoneInfo(draw(st.sampled_from(ZONES))),
        gap=timedelta(minutes=draw(st.sampled_from([10, 30, 60]))),
        deliveries=deliveries,
        zone_at_first=ZoneInfo(draw(st.sampled_from(ZONES))),
        gap_at_first=timedelta(minutes=draw(st.sampled_from([10, 30, 60]))),
        erased=draw(st.sampled_from(["", "", "", "x", "y"])),
        erased_before=draw(st.integers(1, DELIVERIES - 1)),
    )


def _distinct(events: list[Event]) -> list[Event]:
    """Keep one of the deliveries at one place of one request: nothing says which of them came first."""
    places = {(event.message_id, event.received_at, event.sequence, event.batch_id): event for event in events}
    return list(places.values())


@pytest.fixture(scope="module")
def made_histories() -> dict[int, History]:
    """Collect what hypothesis makes; dbt then runs over all of it at once."""
    collected: list[History] = []

    @given(history=histories())
    @settings(
        max_examples=min(100, 5 * settings().max_examples),
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow],
    )
    def collect(history: History) -> None:
        collected.append(history)

    collect()
    collected += [every_refusal(), a_start_that_comes_late()]
    return dict(enumerate(collected, start=1))


def every_refusal() -> History:
    """Return aliases that are refused for each of the reasons; some of them hypothesis rarely makes."""
    pairs = [("r1", "r2"), ("r2", "r3"), ("r3", "r1"), ("r4", "r1"), ("r5", "r5"), ("r4", "r1"), ("r4", "r6")]
    pairs += [(f"long{number}", f"long{number + 1}") for number in range(103)]
    aliases = [
        Event(
            message_id=f"alias {number}",
            type="alias",
            event="$alias",
            previous_id=previous,
            user_id=user,
            timestamp=START + timedelta(seconds=number),
            received_at=START,
        )
        for number, (previous, user) in enumerate(pairs)
    ]
    return History(zone=UNIVERSAL, gap=timedelta(minutes=30), deliveries=[aliases[::2], aliases[1::2], [], []])


def a_start_that_comes_late() -> History:
    """Return a session of an SDK that starts a day earlier once its first event is there.

    Its other event lies behind a pause after another session, so that it is not made anew.
    """
    start, between, end = (
        Event(
            message_id=f"view {hours}",
            type="page",
            event="$pageview",
            anonymous_id="x",
            session_id=session,
            timestamp=START + timedelta(hours=hours),
            received_at=START + timedelta(hours=hours),
        )
        for hours, session in ((0, "s1"), (1, "s2"), (12, "s1"))
    )
    return History(zone=UNIVERSAL, gap=timedelta(minutes=30), deliveries=[[between, end], [start], [], []])


@pytest.fixture(scope="module")
def modelled(runtime: Instance, client: Client, made_histories: dict[int, History]) -> Iterator[Landing]:
    """Model the histories in as many runs as there are deliveries.

    Late events, identifies and merges are among them, erasures, and projects that change their zone and pause.
    """
    with landing(runtime, client) as made:
        deliver(made, made_histories)
        yield made


def deliver(made: Landing, histories: dict[int, History]) -> None:
    """Let everything arrive, and model it after each delivery; the first run makes everything."""
    for number in range(DELIVERIES):
        # An hour apart, so that a run has to tell new rows from old ones.
        arrived = datetime(2024, 4, 5, number, tzinfo=UTC)
        for project, history in histories.items():
            zone, gap = (history.zone, history.gap) if number else (history.zone_at_first, history.gap_at_first)
            if number <= 1:
                gap_minutes = int(gap / timedelta(minutes=1))
                made.set_project(project, timezone=zone.key, session_gap_minutes=gap_minutes, updated_at=arrived)
            if number == history.erased_before and history.erased:
                made.erase(project, history.erased)
            made.deliver(project, history.deliveries[number], inserted_at=arrived)
        made.dbt(*(("run",) if number else MODELS))


def test_each_event_is_there_once_and_counts_for_the_person_the_reference_names(
    modelled: Landing, made_histories: dict[int, History]
) -> None:
    wanted: set[tuple[object, ...]] = set()
    for project, history in made_histories.items():
        named = persons(history.events)
        wanted |= {
            (project, event.message_id, event.timestamp, event.event, named[event.message_id])
            for event in history.events
        }
    rows = modelled.rows(
        "select project_id, message_id, timestamp, event, person_id"
        " from {marts}.fct_events inner join {marts}.dim_persons using (project_id, person_number)"
    )
    assert len(rows) == len(wanted)
    assert set(rows) == wanted


def test_the_merge_log_says_which_aliases_count_and_why_the_others_do_not(
    modelled: Landing, made_histories: dict[int, History]
) -> None:
    wanted: set[tuple[object, ...]] = set()
    for project, history in made_histories.items():
        ends, refusals = merges(history.events)
        for alias in (event for event in history.events if event.type == "alias"):
            refusal = refusals[alias.message_id]
            person = f"user:{ends[alias.previous_id]}" if not refusal else ""
            wanted.add((project, alias.message_id, alias.previous_id, alias.user_id, not refusal, refusal, person))
    rows = modelled.rows(
        "select project_id, message_id, previous_id, user_id, is_merged, refusal, person_id from {marts}.fct_merges"
    )
    assert len(rows) == len(wanted)
    assert set(rows) == wanted
    assert {row[5] for row in rows} == {"", "same_id", "repeated", "merged_elsewhere", "ring", "chain_too_long"}


def test_events_share_a_session_exactly_when_the_reference_says_so(
    modelled: Landing, made_histories: dict[int, History]
) -> None:
    asked: defaultdict[tuple[object, object], set[object]] = defaultdict(set)
    for project, message, session in modelled.rows("select project_id, message_id, session_id from {marts}.fct_events"):
        asked[project, session].add(message)
    wanted: defaultdict[tuple[int, tuple[str, ...]], set[object]] = defaultdict(set)
    for project, history in made_histories.items():
        for message, session in sessions(history.events, persons(history.events), history.gap).items():
            wanted[project, session].add(message)
    assert {(project, frozenset(messages)) for (project, _), messages in asked.items()} == {
        (project, frozenset(messages)) for (project, _), messages in wanted.items()
    }
    derived = modelled.rows("select distinct project_id, session_id from {marts}.fct_events where is_session_derived")
    as_they_are = {frozenset(messages) for key, messages in asked.items() if key not in derived}
    assert as_they_are == {frozenset(messages) for (_, name), messages in wanted.items() if name[0] == "sdk"}


def test_a_session_says_who_when_and_what(modelled: Landing, made_histories: dict[int, History]) -> None:
    wanted: set[tuple[object, ...]] = set()
    for project, history in made_histories.items():
        named = persons(history.events)
        members: defaultdict[tuple[str, ...], list[Event]] = defaultdict(list)
        for event in sorted(history.events, key=lambda event: event.order):
            members[sessions(history.events, named, history.gap)[event.message_id]].append(event)
        for events in members.values():
            first, last = events[0], events[-1]
            duration = (last.timestamp - first.timestamp) // timedelta(milliseconds=1)
            day = first.timestamp.astimezone(history.zone).date()
            person = named[first.message_id]
            wanted.add((project, person, first.timestamp, day, duration, len(events), first.event, last.event))
    rows = modelled.rows(
        "select project_id, person_id, started_at, started_date, duration_ms, events, entry_event, exit_event"
        " from {marts}.fct_sessions inner join {marts}.dim_persons using (project_id, person_number)"
    )
    assert set(rows) == wanted


def test_daily_events_and_persons_are_exact_in_the_zone_of_each_project(
    modelled: Landing, made_histories: dict[int, History]
) -> None:
    wanted: set[tuple[object, ...]] = set()
    for project, history in made_histories.items():
        named = persons(history.events)
        days: defaultdict[tuple[object, str], list[Event]] = defaultdict(list)
        for event in history.events:
            days[event.timestamp.astimezone(history.zone).date(), event.event].append(event)
        for (day, name), events in days.items():
            seen = {named[event.message_id] for event in events}
            wanted.add((project, day, name, len(events), len(seen)))
    rows = modelled.rows(
        "select project_id, event_date, event, sum(events), groupBitmapMerge(persons)"
        " from {marts}.agg_events_daily group by project_id, event_date, event"
    )
    assert set(rows) == wanted


def test_hours_are_those_of_each_project_s_clock(modelled: Landing, made_histories: dict[int, History]) -> None:
    wanted: set[tuple[object, ...]] = set()
    for project, history in made_histories.items():
        hours: defaultdict[tuple[object, ...], list[Counted]] = defaultdict(list)
        for event in history.counted:
            day = event.timestamp.astimezone(history.zone).date()
            hours[day, event.event, bucket(event.timestamp, "hour", history.zone)].append(event)
        for (day, name, hour), events in hours.items():
            wanted.add((project, day, name, hour, len(events), len({event.person for event in events})))
    rows = modelled.rows(
        "select project_id, event_date, event, hour_at, sum(events), groupBitmapMerge(persons)"
        " from {marts}.agg_events_hourly group by project_id, event_date, event, hour_at"
    )
    assert set(rows) == wanted


def test_everyone_who_was_active_on_a_day_is_counted_once(
    modelled: Landing, made_histories: dict[int, History]
) -> None:
    wanted: set[tuple[object, ...]] = set()
    for project, history in made_histories.items():
        days: defaultdict[object, list[Counted]] = defaultdict(list)
        for event in history.counted:
            days[event.timestamp.astimezone(history.zone).date()].append(event)
        wanted |= {(project, day, len(events), len({event.person for event in events})) for day, events in days.items()}
    rows = modelled.rows(
        "select project_id, event_date, sum(events), groupBitmapMerge(persons)"
        " from {marts}.agg_persons_daily group by project_id, event_date"
    )
    assert set(rows) == wanted


def test_each_person_has_one_row_that_says_when_they_were_seen(
    modelled: Landing, made_histories: dict[int, History]
) -> None:
    wanted: set[tuple[object, ...]] = set()
    for project, history in made_histories.items():
        seen: defaultdict[str, list[Event]] = defaultdict(list)
        for event in history.events:
            seen[persons(history.events)[event.message_id]].append(event)
        for person, events in seen.items():
            instants = [event.timestamp for event in events]
            wanted.add((project, person, min(instants), max(instants), len(events), person.startswith("user:")))
    rows = modelled.rows(
        "select project_id, person_id, first_seen_at, last_seen_at, events, is_identified from {marts}.dim_persons"
    )
    assert len(rows) == len(wanted)
    assert set(rows) == wanted


def test_visits_of_a_day_are_those_that_start_on_it(modelled: Landing, made_histories: dict[int, History]) -> None:
    wanted: set[tuple[object, ...]] = set()
    for project, history in made_histories.items():
        days: defaultdict[date, list[Visit]] = defaultdict(list)
        for visit in visits(history.counted):
            days[visit.started_at.astimezone(history.zone).date()].append(visit)
        for day, found in days.items():
            views, bounces = sum(each.views for each in found), sum(each.is_bounce for each in found)
            duration_ms, visitors = sum(each.duration_ms for each in found), len({each.person for each in found})
            wanted.add((project, day, len(found), views, bounces, duration_ms, visitors))
    rows = modelled.rows(
        "select project_id, started_date, sessions, views, bounces, duration_ms, bitmapCardinality(persons)"
        " from {marts}.agg_sessions_daily where dimension = 'all'"
    )
    assert len(rows) == len(wanted) > 0
    assert set(rows) == wanted
    # Each dimension holds every visit once.
    sums = "sum(sessions), sum(views), sum(bounces), sum(duration_ms)"
    of_dimensions = modelled.rows(f"select distinct {sums} from {{marts}}.agg_sessions_daily group by dimension")
    assert len(of_dimensions) == 1


def test_revenue_of_a_day_is_exact_in_every_currency(modelled: Landing, made_histories: dict[int, History]) -> None:
    wanted: set[tuple[object, ...]] = set()
    for project, history in made_histories.items():
        days: defaultdict[tuple[object, ...], list[Counted]] = defaultdict(list)
        for event in history.counted:
            if amount(event) is not None:
                day = event.timestamp.astimezone(history.zone).date()
                days[day, event.event, currency(event)].append(event)
        for (day, name, named), found in days.items():
            brought = sum((amount(event) or Decimal(0) for event in found), Decimal(0))
            orders = [event for event in found if (amount(event) or 0) >= 0]
            wanted.add((project, day, name, named, brought, len(orders), len({event.person for event in orders})))
    rows = modelled.rows(
        "select project_id, event_date, event, currency, revenue, orders, bitmapCardinality(persons)"
        " from {marts}.agg_revenue_daily"
    )
    assert len(rows) == len(wanted) > 0
    assert set(rows) == wanted


def test_a_person_was_first_seen_with_the_first_event_of_a_name_and_of_any(
    modelled: Landing, made_histories: dict[int, History]
) -> None:
    wanted: set[tuple[object, ...]] = set()
    for project, history in made_histories.items():
        firsts: defaultdict[tuple[str, str], list[datetime]] = defaultdict(list)
        for event in history.counted:
            for name in (event.event, ""):
                firsts[name, event.person].append(event.timestamp)
        for (name, person), instants in firsts.items():
            first = min(instants)
            wanted.add((project, name, person, first, first.astimezone(history.zone).date()))
    rows = modelled.rows(
        "select project_id, event, person_id, first_at, first_date"
        " from {marts}.agg_first_seen inner join {marts}.dim_persons using (project_id, person_number)"
    )
    assert len(rows) == len(wanted) > 0
    assert set(rows) == wanted


def test_the_checkout_funnel_of_every_project_equals_the_reference(
    modelled: Landing, made_histories: dict[int, History]
) -> None:
    wanted: set[tuple[object, ...]] = set()
    for project, history in made_histories.items():
        steps = ordered_funnel(
            history.counted, [is_event(name) for name in STEPS], EARLIEST, LATEST, timedelta(days=14)
        )
        wanted |= {(project, each.step, STEPS[each.step - 1], each.persons, each.median_ms) for each in steps}
    rows = modelled.rows("select project_id, step, step_name, persons, median_ms from {marts}.funnel_checkout")
    # A project in which nobody entered has no rows.
    entered = {row[0] for row in wanted if row[1] == 1 and row[3]}
    assert set(rows) == {row for row in wanted if row[0] in entered}


@pytest.mark.parametrize(
    ("model", "period", "periods"), [("retention_daily", "day", 14), ("retention_weekly", "week", 12)]
)
def test_the_retention_of_every_project_equals_the_reference_in_its_own_calendar(
    modelled: Landing, made_histories: dict[int, History], model: str, period: str, periods: int
) -> None:
    wanted: set[tuple[object, ...]] = set()
    for project, history in made_histories.items():
        asked = Retention(
            starts=lambda _: True,
            returns=lambda _: True,
            start=START - timedelta(days=1),
            end=START + timedelta(days=5),
            period=period,
            zone=history.zone,
            periods=periods,
            now=LATEST,
        )
        cells = retention(history.counted, asked)
        wanted |= {
            (
                project,
                cell.cohort.astimezone(history.zone).date(),
                cell.period_index,
                cell.persons,
                cell.cohort_size,
                True,
            )
            for cell in cells
            if cell.cohort_size
        }
    columns = "project_id, cohort_date, period_index, persons, cohort_size, is_complete"
    assert set(modelled.rows(f"select {columns} from {{marts}}.{model}")) == wanted


def test_the_catalogue_of_properties_equals_the_reference(
    modelled: Landing, made_histories: dict[int, History]
) -> None:
    wanted = {
        (project, *place, *dataclasses.astuple(facts))
        for project, history in made_histories.items()
        for place, facts in catalogue(history.events).items()
    }
    rows = modelled.rows(
        "select project_id, source, group_type, event, property, events, strings, datetimes, numbers, booleans, arrays,"
        " objects, nulls, distinct_values, examples, first_seen_at, last_seen_at from {marts}.dim_properties"
        " where not has_more_values"
    )
    found = {(*row[:14], tuple(cast("list[str]", row[14])), *row[15:]) for row in rows}
    assert len(rows) == len(wanted)
    assert found == wanted


def test_the_history_of_every_trait_equals_the_reference_and_its_end_is_what_the_person_has(
    modelled: Landing, made_histories: dict[int, History]
) -> None:
    wanted: set[tuple[object, ...]] = set()
    current: set[tuple[object, ...]] = set()
    for project, history in made_histories.items():
        named = persons(history.events)
        changes = person_changes(history.events, named)
        wanted |= {(project, *trait, *dataclasses.astuple(each)) for trait, steps in changes.items() for each in steps}
        for person in set(named.values()):
            traits = {
                name: json.loads(steps[-1].value_after) for (owner, name), steps in changes.items() if owner == person
            }
            current.add((project, person, json.dumps(traits, sort_keys=True, separators=(",", ":"))))
    rows = modelled.rows(
        "select project_id, person_id, trait_name, valid_from, valid_to, operation, value_before, value_after,"
        " message_id"
        " from {marts}.fct_trait_changes inner join {marts}.dim_persons using (project_id, person_number)"
    )
    assert len(rows) == len(wanted)
    assert set(rows) == wanted
    assert set(modelled.rows("select project_id, person_id, traits from {marts}.dim_persons")) == current
    assert {row[5] for row in rows} == {"set", "set_once", "increment"}


def test_the_history_of_every_group_equals_the_reference(modelled: Landing, made_histories: dict[int, History]) -> None:
    wanted = {
        (project, kind, *trait, each.valid_from, each.valid_to, each.value_before, each.value_after, each.message_id)
        for project, history in made_histories.items()
        for kind in ("company", "team")
        for trait, steps in group_changes(history.events, kind).items()
        for each in steps
    }
    rows = modelled.rows(
        "select project_id, group_type, group_id, trait_name, valid_from, valid_to, value_before, value_after,"
        " message_id"
        " from {marts}.fct_group_trait_changes"
    )
    assert len(rows) == len(wanted)
    assert set(rows) == wanted


def is_event(name: str) -> Condition:
    return lambda event: event.event == name


# When a row was made is not part of what it says, nor is the form in which a set is kept.
FINGERPRINTS = {
    "fct_events": "sipHash64(* except (loaded_at, made_at))",
    **dict.fromkeys(
        [
            *("agg_events_daily", "agg_events_hourly", "agg_persons_daily", "agg_breakdowns_daily"),
            *("agg_sessions_daily", "agg_revenue_daily"),
        ],
        "sipHash64(* except persons, arraySort(bitmapToArray(persons)))",
    ),
    "agg_properties_daily": "sipHash64(* except distinct_values, finalizeAggregation(distinct_values))",
    **dict.fromkeys(
        [
            *("fct_sessions", "fct_merges", "dim_persons", "dim_groups", "dim_properties", "agg_first_seen"),
            *("fct_trait_changes", "fct_group_trait_changes", "funnel_checkout", "retention_daily"),
        ],
        "sipHash64(*)",
    ),
}


def contents(modelled: Landing) -> dict[str, object]:
    """Return a fingerprint of each mart."""
    return {
        model: modelled.rows(f"select count(), sum({fingerprint}) from {{marts}}.{model}")
        for model, fingerprint in FINGERPRINTS.items()
    }


def spoil_days(modelled: Landing, *, days: int) -> None:
    """Make the busiest days of the marts wrong, which no model can know of, and ask for them anew."""
    facts, rollup = modelled.table("marts.fct_events"), modelled.table("marts.agg_events_daily")
    counted = f"select topK({days})(toDate32(timestamp, 'UTC')) from {facts} where timestamp > '2000-01-01'"
    busiest: list[date] = modelled.client.query(counted).result_rows[0][0]
    spoilt = {"days": busiest}
    of_days = "toDate32(timestamp, 'UTC') in {days:Array(Date32)}"
    modelled.client.command(
        f"alter table {rollup} update events = events + 1 where (project_id, event, event_date) in"
        f" (select project_id, event, event_date from {facts} where {of_days}) settings mutations_sync = 2",
        parameters=spoilt,
    )
    modelled.client.command(
        f"alter table {facts} update page_title = 'spoilt' where {of_days} settings mutations_sync = 2",
        parameters=spoilt,
    )
    modelled.request_backfill(busiest)


@pytest.mark.slow
def test_another_run_a_backfill_and_a_full_refresh_change_nothing_and_every_data_test_holds(modelled: Landing) -> None:
    before = contents(modelled)
    # One run has nothing new to take in but these days.
    spoil_days(modelled, days=3)
    assert contents(modelled) != before
    modelled.dbt("run")
    assert contents(modelled) == before
    modelled.dbt("build", "--full-refresh", "--exclude-resource-type", "unit_test")
    assert contents(modelled) == before


@pytest.mark.slow
def test_the_unit_tests_of_the_models_pass(modelled: Landing) -> None:
    # `dbt build` in the pipeline leaves them out. They take the types of their columns from the tables.
    modelled.dbt("test", "--select", "test_type:unit", "--write-json")
    target = modelled.directory / "target"
    declared = json.loads((target / "manifest.json").read_text())["unit_tests"]
    results = json.loads((target / "run_results.json").read_text())["results"]
    assert declared
    assert {result["unique_id"]: result["status"] for result in results} == dict.fromkeys(declared, "pass")
