import gzip
import time
from datetime import UTC, datetime, timedelta

import httpx
import msgspec
import pytest
import zstandard
from clickhouse_connect.driver.client import Client
from sqlalchemy.orm import Session

from core import metadata
from core.events import EventType
from core.metadata import projects
from runtime.instance import Instance
from runtime.project_keys import ProjectKeys
from tests.ingestion.harness import Line, Sender, basic, landed_events, rejects

SUCCESS = {"success": True}


def test_a_batch_lands_in_the_order_in_which_it_was_sent(
    line: Line, sender: Sender, client: Client, project: ProjectKeys
) -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    assert sender.batch(*({"messageId": f"m{number}"} for number in range(5))).json() == SUCCESS
    line.wait_until_shipped()
    landed = landed_events(client, project.id)
    assert [(row["message_id"], row["sequence"]) for row in landed] == [(f"m{n}", n) for n in range(5)]
    assert all(before <= row["received_at"] <= row["inserted_at"] for row in landed)
    assert len({row["batch_id"] for row in landed}) == 1


@pytest.mark.parametrize("kind", EventType)
def test_each_type_has_a_path_of_its_own(
    line: Line, sender: Sender, client: Client, project: ProjectKeys, kind: EventType
) -> None:
    body = {"event": "buy", "userId": "ada", "previousId": "old", "groupId": "acme", "type": "ignored"}
    assert sender.post(f"/v1/{kind}", body).json() == SUCCESS
    line.wait_until_shipped()
    (landed,) = landed_events(client, project.id)
    assert (landed["type"], landed["protocol"], landed["ip"]) == (kind, "segment", "127.0.0.0")


def test_json_objects_land_as_they_came(line: Line, sender: Sender, client: Client, project: ProjectKeys) -> None:
    properties = b'{"z": 1.50, "a":[1,{"b":"\\u00e9 \xc3\xa9"}], "big": 12345678901234567890, "a": null}'
    sender.post("/v1/track", b'{"event":"buy","userId":"ada","properties":' + properties + b"}")
    line.wait_until_shipped()
    (landed,) = landed_events(client, project.id)
    assert landed["properties"].encode() == properties
    assert (landed["traits"], landed["context"]) == ("", "")


def test_a_bad_event_never_sinks_its_batch(line: Line, sender: Sender, client: Client, project: ProjectKeys) -> None:
    good = b'{"type":"track","event":"buy","userId":"ada"}'
    bad = [b'{"n":NaN}', b'{"type":"track","event":"buy","userId":"null","messageId":"m"}', b'{"type":"x\xff\x01"}']
    answer = sender.post("/v1/batch", b'{"batch":[' + b",".join([good, *bad, good]) + b"]}").json()
    assert [reject["reason"] for reject in answer["rejects"]] == ["invalid_json", "illegal_id", "invalid_utf8"]
    assert [reject["index"] for reject in answer["rejects"]] == [1, 2, 3]
    line.wait_until_shipped()
    assert [row["sequence"] for row in landed_events(client, project.id)] == [0, 4]
    expected = [("illegal_id", "m", bad[1]), ("invalid_json", "", bad[0]), ("invalid_utf8", "", bad[2])]
    assert rejects(client, project.id) == expected


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_a_packed_body_is_unpacked_even_without_a_header(sender: Sender, pack: object) -> None:
    assert callable(pack)
    assert sender.post("/v1/track", pack(b'{"event":"buy","userId":"ada"}')).json() == SUCCESS


def test_the_write_key_may_stand_in_the_body(line: Line, project: ProjectKeys) -> None:
    event = {"event": "buy", "userId": "ada", "writeKey": project.write_key}
    assert httpx.post(f"{line.collector.url}/v1/track", json=event).json() == SUCCESS
    batch = {"batch": [event | {"type": "track"}], "writeKey": project.write_key}
    assert httpx.post(f"{line.collector.url}/v1/batch", json=batch).json() == SUCCESS


@pytest.mark.parametrize("headers", [{}, basic("wk_unknown"), basic(""), {"authorization": "Basic %%%"}])
def test_a_request_without_a_live_write_key_is_refused_and_counted(line: Line, headers: dict[str, str]) -> None:
    counter = 'radixinsight_collector_requests_refused_total{code="unknown_write_key"}'
    before = line.collector.metrics().get(counter, 0)
    answer = httpx.post(f"{line.collector.url}/v1/track", json={"event": "buy", "userId": "ada"}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "unknown_write_key")
    assert answer.headers["content-type"] == "application/problem+json"
    assert line.collector.metrics()[counter] == before + 1


def test_a_new_key_works_at_once_and_a_revoked_one_stops_within_five_seconds(
    runtime: Instance, line: Line, project: ProjectKeys
) -> None:
    engine = metadata.connect(runtime.database_url)
    with Session(engine) as session:
        key = projects.create_write_key(session, project.id, "new")
        session.commit()
        sender = Sender(line.collector.url, key)
        assert sender.batch({}).status_code == 200
        projects.revoke_write_key(session, key)
        session.commit()
    engine.dispose()
    deadline = time.monotonic() + 5
    while sender.batch({}).status_code != 401:
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize("body", [b"", b"nope", b"[]", b'{"batch":{}}', b"\x1f\x8bnot gzip"])
def test_a_body_that_cannot_be_read_gets_a_clear_problem(sender: Sender, body: bytes) -> None:
    answer = sender.post("/v1/batch", body)
    problem = answer.json()
    assert answer.status_code == problem["status"]
    assert problem["code"] in {"malformed_request", "unsupported_encoding"}
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_request_that_is_too_large_is_refused_packed_or_not(sender: Sender) -> None:
    huge = b'{"batch":[' + b" " * 21 * 1024 * 1024 + b"]}"
    for body in (huge, gzip.compress(huge)):
        answer = sender.post("/v1/batch", body)
        assert (answer.status_code, answer.json()["code"]) == (413, "request_too_large")


def test_a_header_that_is_no_ascii_is_an_unknown_key(line: Line) -> None:
    answer = httpx.post(f"{line.collector.url}/v1/track", headers=[(b"authorization", "Basic wé".encode())], json={})
    assert (answer.status_code, answer.json()["code"]) == (401, "unknown_write_key")


def test_an_event_that_is_too_large_is_rejected_alone(sender: Sender) -> None:
    answer = sender.batch({"properties": {"text": "x" * 32 * 1024}}, {}).json()
    assert (answer["rejected"], answer["rejects"][0]["index"]) == (1, 0)
    assert answer["rejects"][0]["reason"] == "event_too_large"


def test_a_request_of_very_many_tiny_events_is_refused_whole(sender: Sender) -> None:
    """Each would become a reject of its own, many times as large as it is."""
    answer = sender.post("/v1/batch", b'{"batch":[' + b",".join([b"1"] * 10_001) + b"]}")
    assert (answer.status_code, answer.json()["code"]) == (413, "request_too_large")


def test_a_method_that_is_not_served_is_refused_with_those_that_are(line: Line) -> None:
    answer = httpx.get(f"{line.collector.url}/v1/track")
    assert (answer.status_code, answer.json()["code"], answer.headers["allow"]) == (405, "method_not_allowed", "POST")


@pytest.mark.parametrize("prefix", ["/segment", "/rudderstack"])
def test_the_protocol_has_prefixes_of_its_own(sender: Sender, prefix: str) -> None:
    assert sender.post(f"{prefix}/v1/track/", {"event": "buy", "userId": "ada"}).json() == SUCCESS


def test_an_api_key_is_told_from_a_wrong_one(line: Line, project: ProjectKeys) -> None:
    answer = httpx.post(f"{line.collector.url}/v1/track", headers=basic(project.api_key), json={})
    assert answer.status_code == 401
    assert "API key" in answer.json()["detail"]


def test_an_empty_batch_is_taken(sender: Sender) -> None:
    assert sender.batch().json() == SUCCESS


def test_a_page_on_any_origin_may_send(line: Line, project: ProjectKeys) -> None:
    url = f"{line.collector.url}/v1/track"
    preflight = httpx.options(
        url,
        headers={
            "origin": "https://shop.example",
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization,content-type",
        },
    )
    assert preflight.is_success
    assert preflight.headers["access-control-allow-origin"] == "https://shop.example"
    assert preflight.headers["access-control-allow-credentials"] == "true"
    assert preflight.headers["access-control-allow-headers"] == "authorization,content-type"
    assert preflight.headers["x-request-id"]
    beacon = msgspec.json.encode({"event": "buy", "userId": "ada", "writeKey": project.write_key})
    answer = httpx.post(url, content=beacon, headers={"origin": "https://shop.example", "content-type": "text/plain"})
    assert (answer.json(), answer.headers["access-control-allow-origin"]) == (SUCCESS, "https://shop.example")


def test_a_page_may_read_why_it_was_refused(line: Line) -> None:
    answer = httpx.post(f"{line.collector.url}/v1/track", json={}, headers={"origin": "https://shop.example"})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (401, "https://shop.example")
    assert answer.headers["access-control-expose-headers"] == "Retry-After, x-request-id"


def test_the_collector_counts_what_it_does(line: Line, sender: Sender) -> None:
    before = line.collector.metrics()
    sender.batch({}, {}, {"userId": "null"})
    after = line.collector.metrics()

    def grown(name: str) -> float:
        return after[name] - before.get(name, 0)

    assert grown("radixinsight_collector_events_accepted_total") == 2
    assert grown('radixinsight_collector_events_rejected_total{reason="illegal_id"}') == 1
    assert grown("radixinsight_collector_acknowledgement_seconds_count") == 1
    assert grown("radixinsight_collector_spooled_bytes_total") > 100


def test_the_shipper_counts_what_it_does(line: Line, sender: Sender) -> None:
    line.wait_until_shipped()
    before = line.shipper.metrics()
    sender.batch({}, {}, {"userId": "null"})
    line.wait_until_shipped()
    after = line.shipper.metrics()
    for table, shipped in (("events", 2), ("rejects", 1)):
        name = f'radixinsight_shipper_rows_shipped_total{{table="{table}"}}'
        assert after[name] - before.get(name, 0) == shipped
    assert after["radixinsight_shipper_oldest_unshipped_age_seconds"] == 0


def test_ready_collector_and_shipper_say_so(line: Line) -> None:
    ready = httpx.get(f"{line.collector.url}/readyz")
    assert (ready.status_code, ready.json()["checks"]) == (200, {"write_keys": "ok", "spool": "ok"})
    assert httpx.get(f"{line.shipper.url}/readyz").status_code == 200
    assert httpx.get(f"{line.shipper.url}/nothing").status_code == 404
