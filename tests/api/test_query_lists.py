"""Lists of events, persons and values asked by a document, one person, and cohorts, against the events themselves."""

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.settings import ApiSettings
from core import warehouse
from core.insights.lists import LISTS
from engine.api_events import PLANS, counted, country_in, plan_of, properties_of, team_of, traits_of
from engine.zones import ZONES
from reference.events import Counted
from runtime.instance import Instance

# All of the projects' events lie within.
ALWAYS = {"from": "2025-01-01", "to": "2026-01-01"}
ODD_PLAN = PLANS[-1]


@pytest.fixture(params=ZONES)
def project(request: pytest.FixtureRequest, modelled: Any) -> Any:
    """Return each project in turn."""
    return getattr(modelled, request.param)


@pytest.fixture
async def api(serve: Any, settings: ApiSettings, modelled: Any, tmp_path: Path) -> Any:
    """Return a client of an API that knows a list of users of two projects."""
    (tmp_path / "insights").mkdir()
    (tmp_path / LISTS).mkdir(parents=True)
    users = f"{modelled.berlin.id},person-1\n{modelled.new_york.id},person-2\n"
    (tmp_path / LISTS / "pilots.csv").write_text(f"project_id,user_id\n{users}")
    async with serve(settings.model_copy(update={"insights_dir": tmp_path / "insights"})) as (client, _):
        yield client


async def _post(api: httpx.AsyncClient, project: Any, **document: Any) -> httpx.Response:
    return await api.post(f"/v1/projects/{project.id}/query", headers=project.headers, json=document)


async def _ask(api: httpx.AsyncClient, project: Any, **document: Any) -> Any:
    answer = await _post(api, project, **document)
    assert answer.status_code == 200, answer.text
    assert answer.json()["kind"] == document["kind"]
    return answer.json()["data"]


async def _pages(api: httpx.AsyncClient, project: Any, rows: str, **document: Any) -> list[Any]:
    found: list[Any] = []
    after: dict[str, Any] = {}
    while True:
        data = await _ask(api, project, **document, **after)
        found += data[rows]
        if data["next"] is None:
            return found
        assert len(data[rows]) == document["limit"]
        after = {"after": data["next"]}


async def test_events_are_listed_page_by_page_the_latest_first(api: httpx.AsyncClient, project: Any) -> None:
    where = [{"any": [{"property": "plan", "value": ODD_PLAN}, {"trait": "team", "value": "blue"}]}]
    chosen = {"event": ["cart", "purchase"], "where": where}
    rows = await _pages(api, project, "events", kind="events", **ALWAYS, events=chosen, limit=7)
    expected = [
        event
        for event in counted(project.events)
        if event.event in {"cart", "purchase"} and (plan_of(event) == ODD_PLAN or team_of(event) == "blue")
    ]
    expected.sort(key=lambda event: (event.timestamp, event.message_id), reverse=True)
    assert [(row["message_id"], row["event"], datetime.fromisoformat(row["timestamp"])) for row in rows] == [
        (event.message_id, event.event, event.timestamp) for event in expected
    ]
    for row in rows:
        told = project.events[int(row["message_id"].removeprefix("m"))]
        assert row["properties"] == properties_of(told)
    assert rows


async def test_events_have_the_ids_that_were_sent_and_the_persons_whose_they_are(
    api: httpx.AsyncClient, modelled: Any
) -> None:
    rows = await _pages(api, modelled.devices, "events", kind="events", **ALWAYS, limit=2)
    told = [(row["message_id"], row["user_id"], row["anonymous_id"], row["person_id"]) for row in rows]
    assert told == [
        ("l5", "bob", "desk", "user:bob"),
        ("l4", "ada", "", "user:ada"),
        ("l3", "ada-old", "", "user:ada"),
        ("l2", "ada", "desk", "user:ada"),
        ("l1", "ada", "phone", "user:ada"),
        ("l0", "", "kiosk", "anonymous:kiosk"),
    ]
    theirs = (await _ask(api, modelled.devices, kind="events", **ALWAYS, person_number=rows[1]["person_number"]))[
        "events"
    ]
    assert [row["message_id"] for row in theirs] == ["l4", "l3", "l2", "l1"]


async def test_ids_of_events_are_gone_with_what_was_sent(
    serve: Any, settings: ApiSettings, runtime: Instance, modelled: Any
) -> None:
    """Nothing of them is kept beside: who was erased from staging is in no list, though the marts are yet to follow."""
    admin = warehouse.connect(runtime.clickhouse_admin_url)
    staging = f"erased_{id(settings)}"
    admin.command(f"create database {staging}")
    admin.command(
        f"create view {staging}.stg_collector__events as "
        f"select * from {settings.staging_database}.stg_collector__events where user_id != 'bob'"
    )
    async with serve(settings.model_copy(update={"staging_database": staging})) as (client, _):
        rows = (await _ask(client, modelled.devices, kind="events", **ALWAYS))["events"]
    admin.command(f"drop database {staging}")
    admin.close()
    assert (rows[0]["message_id"], rows[0]["user_id"], rows[0]["anonymous_id"]) == ("l5", "", "")
    assert {row["user_id"] for row in rows} == {"", "ada", "ada-old"}


async def test_events_of_one_person_are_theirs(api: httpx.AsyncClient, project: Any) -> None:
    person = (await _ask(api, project, kind="person", user_id="person-3"))["person"]
    asked = {"kind": "events", **ALWAYS, "person_number": person["person_number"], "limit": 1000}
    data = await _ask(api, project, **asked)
    own = [event.message_id for event in counted(project.events) if event.person == "person-3"]
    assert {row["message_id"] for row in data["events"]} == set(own)
    assert data["next"] is None


async def test_persons_are_listed_with_what_is_known_of_them(api: httpx.AsyncClient, project: Any) -> None:
    data = await _ask(api, project, kind="persons", limit=3)
    rows = await _pages(api, project, "persons", kind="persons", limit=3)
    events = counted(project.events)
    persons = {event.person for event in events}
    assert data["size"] == len(persons) == len(rows)
    assert {row["user_id"] for row in rows} == persons
    seen = [datetime.fromisoformat(row["last_seen_at"]) for row in rows]
    assert seen == sorted(seen, reverse=True)
    for row in rows:
        own = [event for event in events if event.person == row["user_id"]]
        assert (row["events"], row["sessions"]) == (len(own), len({event.session for event in own}))
        assert seen[rows.index(row)] == max(event.timestamp for event in own)
        assert (row["traits"], row["person_id"]) == (traits_of(row["user_id"]), f"user:{row['user_id']}")


async def test_persons_are_searched_by_a_part_of_their_id(api: httpx.AsyncClient, project: Any) -> None:
    rows = (await _ask(api, project, kind="persons", search="PERSON-1"))["persons"]
    persons = {event.person for event in project.events}
    assert {row["user_id"] for row in rows} == {person for person in persons if "person-1" in person}


async def test_a_person_is_found_with_traits_ids_and_latest_events(api: httpx.AsyncClient, project: Any) -> None:
    person = (await _ask(api, project, kind="person", user_id="person-7", events=4))["person"]
    by_number = (await _ask(api, project, kind="person", person_number=person["person_number"], events=4))["person"]
    assert person == by_number
    own = [event for event in counted(project.events) if event.person == "person-7"]
    own.sort(key=lambda event: (event.timestamp, event.message_id), reverse=True)
    latest = [(each["message_id"], datetime.fromisoformat(each["timestamp"])) for each in person["latest_events"]]
    assert latest == [(event.message_id, event.timestamp) for event in own[:4]]
    assert (person["traits"], person["user_id"]) == (traits_of("person-7"), "person-7")
    assert (person["merged_user_ids"], person["anonymous_ids"]) == ([], [])


@pytest.mark.parametrize("name", ["", "nobody", "' or 1 = 1 --", "{x:String}", "person-7'"])
async def test_nobody_is_found_by_an_id_that_nobody_has(api: httpx.AsyncClient, modelled: Any, name: str) -> None:
    for key in ("user_id", "anonymous_id"):
        answer = await _post(api, modelled.berlin, kind="person", **{key: name})
        if name:
            assert answer.json()["data"] == {"person": None}
        else:
            assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, f"/{key}")


async def test_a_persons_number_and_cursors_of_another_project_lead_to_nothing_of_theirs(
    api: httpx.AsyncClient, modelled: Any
) -> None:
    theirs = await _ask(api, modelled.new_york, kind="persons", limit=5)
    own = {event.person for event in modelled.berlin.events}
    own_messages = {event.message_id for event in counted(modelled.berlin.events)}
    found = await _ask(api, modelled.berlin, kind="persons", limit=1000, after=theirs["next"])
    for row in [*found["persons"], *(await _ask(api, modelled.berlin, kind="persons", limit=1000))["persons"]]:
        assert row["user_id"] in own
        assert row["traits"] == traits_of(row["user_id"])
    events = await _ask(api, modelled.new_york, kind="events", **ALWAYS, limit=5)
    answer = await _post(api, modelled.berlin, kind="events", **ALWAYS, limit=1000, after=events["next"])
    assert answer.json()["meta"]["parameters"]["project_id"] == modelled.berlin.id
    assert {row["message_id"] for row in answer.json()["data"]["events"]} <= own_messages


def _size(event: Counted) -> str:
    return str(event.properties["size"])


@pytest.mark.parametrize(
    ("asked", "value"),
    [
        ({"property": "plan"}, plan_of),
        ({"column": "country"}, country_in),
        ({"property": ["cart", "size"]}, _size),
    ],
)
async def test_the_values_of_a_property_are_counted(
    api: httpx.AsyncClient, project: Any, asked: dict[str, Any], value: Any
) -> None:
    data = await _ask(api, project, kind="property_values", **ALWAYS, **asked, events="cart")
    carts = [event for event in counted(project.events) if event.event == "cart" and value(event)]
    events = Counter(value(event) for event in carts)
    persons = {text: len({event.person for event in carts if value(event) == text}) for text in events}
    assert [(each["text"], each["events"], each["persons"]) for each in data["values"]] == sorted(
        ((text, count, persons[text]) for text, count in events.items()), key=lambda each: (-each[1], -each[2], each[0])
    )
    assert not data["is_truncated"]


async def test_values_are_searched_and_cut(api: httpx.AsyncClient, modelled: Any) -> None:
    asked = {"kind": "property_values", **ALWAYS, "property": "plan"}
    found = await _ask(api, modelled.berlin, **asked, search="{X:string}")
    assert [each["text"] for each in found["values"]] == [ODD_PLAN]
    cut = await _ask(api, modelled.berlin, **asked, limit=2)
    assert (len(cut["values"]), cut["is_truncated"]) == (2, True)


async def test_the_values_of_a_trait_are_those_that_persons_have(api: httpx.AsyncClient, project: Any) -> None:
    data = await _ask(api, project, kind="property_values", trait="team")
    teams = Counter(traits_of(person).get("team") for person in {event.person for event in project.events})
    assert {each["text"]: each["persons"] for each in data["values"]} == {
        team: count for team, count in teams.items() if team
    }
    assert all(each["events"] is None for each in data["values"])


@pytest.mark.parametrize(
    ("asked", "user"),
    [
        ({"user_id": "ada"}, "ada"),
        ({"user_id": "ada-old"}, "ada"),
        ({"anonymous_id": "phone"}, "ada"),
        # It was linked to another user later.
        ({"anonymous_id": "desk"}, "bob"),
        ({"anonymous_id": "kiosk"}, ""),
    ],
)
async def test_each_id_of_a_person_leads_to_them(
    api: httpx.AsyncClient, modelled: Any, asked: dict[str, Any], user: str
) -> None:
    person = (await _ask(api, modelled.devices, kind="person", **asked))["person"]
    # What an alias names as the previous id may be that of a user or of a device.
    ids = {"ada": (["ada-old"], ["ada-old", "desk", "phone"]), "bob": ([], ["desk"]), "": ([], ["kiosk"])}
    assert (person["user_id"], (person["merged_user_ids"], person["anonymous_ids"])) == (user, ids[user])
    assert person["person_id"] == (f"user:{user}" if user else "anonymous:kiosk")


def _bought(event: Counted) -> bool:
    return event.event == "purchase" and plan_of(event) == "pro"


async def test_a_cohort_ad_hoc_has_a_size_and_members(api: httpx.AsyncClient, project: Any) -> None:
    who = [
        {"did": {"event": "purchase", "where": [{"property": "plan", "value": "pro"}]}},
        {"none": [{"trait": "team", "value": "red"}]},
        {"did_not": {"event": "cart", "at_least": 4}},
    ]
    events = counted(project.events)
    expected = {
        person
        for person in {event.person for event in events}
        if any(_bought(event) for event in events if event.person == person)
        and traits_of(person).get("team") != "red"
        and sum(event.event == "cart" for event in events if event.person == person) < 4
    }
    rows = await _pages(api, project, "persons", kind="cohort", who=who, limit=2)
    assert {row["user_id"] for row in rows} == expected
    assert (await _ask(api, project, kind="cohort", who=who, limit=1))["size"] == len(expected) > 0
    persons = await _ask(api, project, kind="persons", who=who)
    assert {row["user_id"] for row in persons["persons"]} == expected


async def test_a_cohort_of_nobody_has_the_size_0(api: httpx.AsyncClient, modelled: Any) -> None:
    who = [{"did": {"event": "purchase", "within": "1d"}}]
    assert await _ask(api, modelled.berlin, kind="cohort", who=who) == {"size": 0, "persons": [], "next": None}


async def test_a_cohort_of_a_list_has_its_users_of_the_project(
    api: httpx.AsyncClient, modelled: Any, runtime: Instance
) -> None:
    client = warehouse.connect(runtime.clickhouse_admin_url)
    client.command(
        f"create or replace table {modelled.database}.pilots engine = MergeTree order by project_id as "
        f"select arrayJoin([{modelled.berlin.id}, {modelled.new_york.id}])::UInt32 as project_id, "
        f"if(project_id = {modelled.berlin.id}, 'person-1', 'person-2') as user_id"
    )
    try:
        data = await _ask(api, modelled.berlin, kind="cohort", who=[{"listed": "pilots"}])
        assert [row["user_id"] for row in data["persons"]] == ["person-1"]
    finally:
        client.command(f"drop table {modelled.database}.pilots")
        client.close()


async def test_a_list_of_others_is_as_unknown_as_one_that_does_not_exist(api: httpx.AsyncClient, modelled: Any) -> None:
    told: list[Any] = []
    for name in ("pilots", "nobody"):
        answer = await _post(api, modelled.kathmandu, kind="cohort", who=[{"listed": name}])
        assert answer.status_code == 422
        told.append(answer.json()["detail"].replace(name, "…"))
    assert told[0] == told[1]


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        ({"kind": "cohort", "who": [{"all": [{"listed": "no_list"}]}]}, "/who/0/all/0/listed"),
        ({"kind": "cohort", "who": [{"listed": "dim_persons"}]}, "/who/0/listed"),
        ({"kind": "cohort", "who": [{"cohort": "cohort_no"}]}, "/who/0/cohort"),
        ({"kind": "cohort", "who": []}, "/who"),
        ({"kind": "cohort", "who": [{"property": "plan", "value": "pro"}]}, "/who/0"),
        ({"kind": "persons", "after": "x"}, "/after"),
        ({"kind": "persons", "after": "WzEsICJtMSJd"}, "/after"),
        ({"kind": "events", **ALWAYS, "after": "WzEsIDJd"}, "/after"),
        ({"kind": "events", "last": 3, "limit": 1001}, "/limit"),
        ({"kind": "events"}, ""),
        ({"kind": "person"}, ""),
        ({"kind": "person", "user_id": "a", "anonymous_id": "b"}, ""),
        ({"kind": "property_values", "last": 3}, ""),
        ({"kind": "property_values", "property": "plan"}, ""),
        ({"kind": "property_values", "trait": "team", "last": 3}, ""),
    ],
)
async def test_what_does_not_fit_is_refused_at_the_place(
    api: httpx.AsyncClient, modelled: Any, document: dict[str, Any], pointer: str
) -> None:
    answer = await _post(api, modelled.berlin, **document)
    assert answer.status_code == 422, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
