"""Who is kept from sending too much, or from where."""

import time
from datetime import timedelta
from typing import Any

import httpx
import pytest
from clickhouse_connect.driver.client import Client
from sqlalchemy import update
from sqlalchemy.orm import Session

from core.metadata import Project, WriteKey, keys
from core.metadata.projects import create_write_key
from runtime.instance import Instance
from runtime.project_keys import ProjectKeys, create_project, in_transaction
from tests.ingestion.harness import Collector, Line, Sender, basic, eventually, free_port, landed_events, rejects

EVENT = {"event": "buy", "userId": "ada"}
SHOP = {"origin": "https://shop.example"}
REFUSED = 'radixinsight_collector_requests_refused_total{code="rate_limited"}'


def change(runtime: Instance, project: ProjectKeys, rules: dict[str, Any] | None = None, **key: Any) -> None:
    """Change a project's rules and columns of its write key."""

    def apply(session: Session) -> None:
        if rules is not None:
            session.execute(update(Project).where(Project.id == project.id).values(collection_rules=rules))
        if key:
            session.execute(update(WriteKey).where(WriteKey.key == project.write_key).values(**key))

    in_transaction(runtime.database_url, apply)


def by_new_key(line: Line, runtime: Instance, project: ProjectKeys, **key: Any) -> Sender:
    """Return a client with a key that the running collector has not seen: a change of others is in force later."""

    def make(session: Session) -> str:
        made = create_write_key(session, project.id, "new")
        if key:
            session.execute(update(WriteKey).where(WriteKey.key == made).values(**key))
        return made

    return Sender(line.collector.url, in_transaction(runtime.database_url, make))


def batch(count: int) -> dict[str, Any]:
    """Return a batch of so many events."""
    return {"batch": [EVENT | {"type": "track"}] * count}


async def test_without_rates_nobody_is_limited(collector: Collector, project: ProjectKeys) -> None:
    async with collector() as client:
        for _ in range(50):
            assert (await client.post("/v1/track", json=EVENT, headers=basic(project.write_key))).status_code == 200
        assert "radixinsight_collector_rates_shared" not in (await client.get("/metrics")).text


async def test_a_key_that_sends_too_much_has_to_wait_and_is_counted(collector: Collector, project: ProjectKeys) -> None:
    async with collector(key_events_per_second=0.5, rate_burst_s=20) as client:
        send = httpx.Request("POST", "http://collector/v1/batch", json=batch(12), headers=basic(project.write_key))
        assert (await client.send(send)).status_code == 200
        refused = await client.send(send)
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
        assert 1 <= int(refused.headers["retry-after"]) <= 6
        assert f"{REFUSED} 1.0" in (await client.get("/metrics")).text


async def test_a_request_that_is_refused_leaves_nothing_behind(
    line: Line, runtime: Instance, client: Client, project: ProjectKeys
) -> None:
    sender = by_new_key(line, runtime, project, events_per_second=1)
    answers = [sender.batch(*({"messageId": f"{number}-{n}"} for n in range(20))) for number in range(3)]
    assert [answer.status_code for answer in answers] == [200, 429, 429]
    line.wait_until_shipped()
    assert {row["message_id"][0] for row in landed_events(client, project.id)} == {"0"}


@pytest.mark.parametrize(("own", "projects"), [(1, 1000), (None, 1)])
async def test_a_rate_of_the_key_goes_before_the_projects_and_that_before_the_collectors(
    collector: Collector, runtime: Instance, project: ProjectKeys, own: int | None, projects: int
) -> None:
    change(runtime, project, {"events_per_second": projects}, events_per_second=own)
    async with collector(key_events_per_second=1000, rate_burst_s=1) as client:
        key = basic(project.write_key)
        assert (await client.post("/v1/batch", json=batch(20), headers=key)).status_code == 200
        assert (await client.post("/v1/track", json=EVENT, headers=key)).status_code == 429


async def test_one_key_does_not_slow_another(collector: Collector, project: ProjectKeys, runtime: Instance) -> None:
    other = create_project(runtime.database_url, "Other", key_name="test")
    async with collector(key_events_per_second=1, rate_burst_s=1) as client:
        for key, expected in ((project, 200), (project, 429), (other, 200)):
            answer = await client.post("/v1/batch", json=batch(5), headers=basic(key.write_key))
            assert answer.status_code == expected


async def test_an_address_that_sends_too_much_is_refused_whatever_its_key(
    collector: Collector, project: ProjectKeys
) -> None:
    async with collector(address_requests_per_second=0.1, rate_burst_s=30) as client:
        keys = [project.write_key, "wk_unknown", project.write_key, project.write_key]
        answers = [await client.post("/v1/track", json=EVENT, headers=basic(key)) for key in keys]
        assert [answer.status_code for answer in answers] == [200, 401, 200, 429]
        assert answers[-1].json()["code"] == "rate_limited"
        assert (await client.get("/healthz")).status_code == 200


async def test_the_collectors_own_canary_neither_waits_nor_makes_others_wait(
    collector: Collector, project: ProjectKeys
) -> None:
    """A sender that sends too much must not look like a way that is blocked."""
    async with collector(address_requests_per_second=0.05, key_events_per_second=0.05, rate_burst_s=20) as client:
        key = basic(project.write_key)
        canaries = [await client.post("/v1/canary", json={}, headers=key) for _ in range(3)]
        events = [await client.post("/v1/track", json=EVENT, headers=key) for _ in range(2)]
        canaries.append(await client.post("/v1/canary", json={}, headers=key))
        assert [answer.status_code for answer in canaries] == [200] * 4
        assert [answer.status_code for answer in events] == [200, 429]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/segment/v1/track", EVENT, 429),
        ("/posthog/e/", {"event": "buy", "distinct_id": "ada"}, 503),
        ("/mixpanel/track", [{"event": "buy", "properties": {"distinct_id": "ada"}}], 429),
        ("/amplitude/2/httpapi", {"events": [{"event_type": "buy", "user_id": "ada-ada"}]}, 429),
    ],
)
async def test_each_protocol_says_it_in_its_own_way_and_names_the_time(
    collector: Collector, project: ProjectKeys, path: str, body: Any, status: int
) -> None:
    async with collector(key_events_per_second=0.1, rate_burst_s=10) as client:
        key = project.write_key
        if isinstance(body, dict):
            body = {**body, "api_key": key, "writeKey": key}
        else:
            body[0]["properties"]["token"] = key
        assert (await client.post(path, json=body)).status_code == 200
        refused = await client.post(path, json=body)
        assert refused.status_code == status
        assert 1 <= int(refused.headers["retry-after"]) <= 10


async def test_a_key_serves_the_pages_that_it_is_for(
    collector: Collector, runtime: Instance, project: ProjectKeys
) -> None:
    change(runtime, project, allowed_origins=["https://shop.example", "https://*.shop.example"])
    async with collector() as client:
        for origin, status in (
            ("https://shop.example", 200),
            ("https://SHOP.example:443", 200),
            ("https://www.shop.example", 200),
            ("https://shop.example:8443", 403),
            ("http://shop.example", 403),
            ("https://shop.example.evil", 403),
            ("null", 403),
        ):
            answer = await client.post("/v1/track", json=EVENT, headers=basic(project.write_key) | {"origin": origin})
            assert (origin, answer.status_code) == (origin, status)


async def test_a_server_names_no_origin_and_may_send(
    collector: Collector, runtime: Instance, project: ProjectKeys
) -> None:
    change(runtime, project, allowed_origins=["https://shop.example"])
    async with collector() as client:
        assert (await client.post("/v1/track", json=EVENT, headers=basic(project.write_key))).status_code == 200


@pytest.mark.parametrize("place", ["head", "body"])
async def test_a_page_can_read_that_its_origin_is_not_allowed(
    collector: Collector, runtime: Instance, project: ProjectKeys, place: str
) -> None:
    change(runtime, project, allowed_origins=["https://other.example"])
    async with collector() as client:
        head, body = (
            (basic(project.write_key), EVENT) if place == "head" else ({}, EVENT | {"writeKey": project.write_key})
        )
        answer = await client.post("/v1/track", json=body, headers=head | SHOP)
        assert (answer.status_code, answer.json()["code"]) == (403, "origin_not_allowed")
        assert answer.headers["access-control-allow-origin"] == SHOP["origin"]


async def test_a_preflight_can_not_know_the_key_and_is_answered(
    collector: Collector, runtime: Instance, project: ProjectKeys
) -> None:
    change(runtime, project, allowed_origins=["https://other.example"])
    async with collector() as client:
        asked = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
        assert (await client.options("/v1/track", headers=SHOP | asked)).status_code == 200


async def test_a_page_may_read_how_long_to_wait(collector: Collector, project: ProjectKeys) -> None:
    async with collector(address_requests_per_second=1, rate_burst_s=1) as client:
        answers = [
            await client.post("/v1/track", json=EVENT, headers=basic(project.write_key) | SHOP) for _ in range(2)
        ]
        assert answers[1].status_code == 429
        assert answers[1].headers["access-control-expose-headers"] == "Retry-After, x-request-id"


async def test_two_collectors_count_one_key_together(
    collector: Collector, runtime: Instance, project: ProjectKeys
) -> None:
    settings: dict[str, Any] = {"key_events_per_second": 0.5, "redis_url": runtime.redis_url}
    async with collector(**settings) as one, collector(**settings) as other:
        key = basic(project.write_key)
        assert (await one.post("/v1/batch", json=batch(100), headers=key)).status_code == 200
        assert (await other.post("/v1/track", json=EVENT, headers=key)).status_code == 200

        async def is_refused() -> bool:
            return (await other.post("/v1/track", json=EVENT, headers=key)).status_code == 429

        await eventually(is_refused)
        assert "radixinsight_collector_rates_shared 1.0" in (await one.get("/metrics")).text


async def test_without_valkey_a_collector_counts_alone(collector: Collector, project: ProjectKeys) -> None:
    nowhere = f"redis://:secret@127.0.0.1:{free_port()}/0"
    async with collector(key_events_per_second=1, redis_url=nowhere) as client:
        key = basic(project.write_key)
        assert (await client.post("/v1/batch", json=batch(20), headers=key)).status_code == 200
        assert (await client.post("/v1/track", json=EVENT, headers=key)).status_code == 429

        async def says_so() -> bool:
            return "radixinsight_collector_rates_shared 0.0" in (await client.get("/metrics")).text

        await eventually(says_so)
        assert (await client.get("/readyz")).status_code == 200


async def test_a_renamed_prefix_is_served_in_full(collector: Collector, project: ProjectKeys) -> None:
    """Whether a proxy takes it away or not."""
    prefixes = "posthog=/ph,segment=/assets/s1,any=/data"
    async with collector(path_prefixes=prefixes) as client:
        key = basic(project.write_key)
        for path in ("/v1/track", "/assets/s1/v1/track", "/data/v1/track", "/segment/v1/track/"):
            assert (await client.post(path, json=EVENT, headers=key)).json() == {"success": True}
        body = {"event": "buy", "distinct_id": "ada", "api_key": project.write_key}
        for path in ("/ph/e/", "/data/e/", "/posthog/e/"):
            assert (await client.post(path, json=body)).status_code == 200
            assert (await client.post(path.replace("/e/", "/flags/"), json={})).json()["flags"] == {}
        assert (await client.get(f"/ph/array/{project.write_key}/config.js")).status_code == 200


async def test_the_well_known_paths_may_be_gone(collector: Collector, project: ProjectKeys) -> None:
    async with collector(path_prefixes="segment=/s1,posthog=/ph", well_known_paths=False) as client:
        key = basic(project.write_key)
        assert (await client.post("/s1/v1/track", json=EVENT, headers=key)).status_code == 200
        for path in ("/v1/track", "/segment/v1/track", "/e/", "/flags/"):
            assert (await client.post(path, json=EVENT, headers=key)).status_code == 404
        assert (await client.get("/healthz")).status_code == 200


BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
PERSON = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"


def test_events_of_bots_become_rejects_where_the_project_says_so(
    line: Line, runtime: Instance, client: Client, project: ProjectKeys
) -> None:
    """What the event's context says goes before the request's head: that is the server's that passes it on."""
    change(runtime, project, {"bots": "reject"})
    sender = by_new_key(line, runtime, project)
    events: list[dict[str, Any]] = [
        {"messageId": "bot", "context": {"userAgent": BOT}},
        {"messageId": "person", "context": {"userAgent": PERSON}},
        {"messageId": "server"},
    ]
    # A rule is in force within three seconds.
    deadline = time.monotonic() + 10
    while "rejects" not in sender.batch({"messageId": "probe", "context": {"userAgent": BOT}}).json():
        assert time.monotonic() < deadline
        time.sleep(0.2)
    answer = sender.batch(*events).json()
    assert [reject["index"] for reject in answer["rejects"]] == [0]
    body = {"event": "buy", "userId": "ada", "messageId": "head"}
    assert sender.post("/v1/track", body, **{"user-agent": BOT}).json()["rejects"][0]["reason"] == "bot"
    line.wait_until_shipped()
    assert {row["message_id"] for row in landed_events(client, project.id)} - {"probe"} == {"person", "server"}
    refused = {(reason, message_id) for reason, message_id, _ in rejects(client, project.id)}
    assert refused == {("bot", "bot"), ("bot", "head"), ("bot", "probe")}


async def test_events_of_bots_are_kept_otherwise(collector: Collector, project: ProjectKeys) -> None:
    async with collector() as client:
        answer = await client.post("/v1/track", json=EVENT, headers=basic(project.write_key) | {"user-agent": BOT})
        assert answer.json() == {"success": True}


def test_a_replaced_key_works_until_it_is_revoked_which_takes_less_than_five_seconds(
    line: Line, runtime: Instance, sender: Sender, project: ProjectKeys
) -> None:
    def replace(session: Session) -> str:
        return keys.rotate_key(session, keys.find_key(session, project.write_key), timedelta(days=7))

    new = in_transaction(runtime.database_url, replace)
    time.sleep(3)
    assert sender.batch({}).status_code == 200
    assert Sender(line.collector.url, new).batch({}).status_code == 200
    in_transaction(runtime.database_url, lambda session: keys.revoke_key(keys.find_key(session, project.write_key)))
    deadline = time.monotonic() + 5
    while sender.batch({}).status_code != 401:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert Sender(line.collector.url, new).batch({}).status_code == 200
