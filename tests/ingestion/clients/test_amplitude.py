"""Amplitude's own libraries, unmodified, against a running collector."""

import json
import subprocess
import time
from collections.abc import Generator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from amplitude import Amplitude, BaseEvent, Config, EventOptions, GroupIdentifyEvent, Identify, Revenue
from amplitude.http_client import Response
from amplitude.processor import ResponseProcessor
from clickhouse_connect.driver.client import Client

from core.errors import RadixError
from ingestion.errors import CollectorBusyError, SpoolUnavailableError
from ingestion.protocols.amplitude import refuse
from ingestion.wire import Wire
from runtime.instance import Instance
from runtime.project_keys import ProjectKeys
from tests.ingestion.harness import Line, landed_events, rejects

NODE = Path(__file__).parent / "node" / "amplitude"
EVERYTHING = [
    ("track", "buy", "ada", "device-1"),
    ("track", "look", "", "device-1"),
    ("identify", "$identify", "ada", "device-1"),
    ("group", "$group", "", ""),
    ("group", "$group", "", ""),
    ("identify", "$identify", "ada", "device-1"),
    ("track", "revenue_amount", "ada", "device-1"),
]


@pytest.fixture(scope="module")
def narrow_line(runtime: Instance, tmp_path_factory: pytest.TempPathFactory) -> Generator[Line]:
    """Return a collector that takes 10 kB at once only."""
    limit = {"RADIXINSIGHT_COLLECTOR_MAX_REQUEST_BYTES": "10000"}
    line = Line(runtime.variables, tmp_path_factory.mktemp("narrow"), **limit)
    line.collector.start()
    line.shipper.start()
    yield line
    line.stop()


class Python:
    """Amplitude's Python library, with what became of each event."""

    def __init__(self, url: str, key: str, **more: Any) -> None:
        self.codes: list[tuple[str, int]] = []
        settings: dict[str, Any] = {"flush_interval_millis": 50, "server_url": url} | more
        self.client = Amplitude(key, Config(api_key=key, callback=self._note, **settings))

    def _note(self, event: BaseEvent, code: int, _: str | None) -> None:
        self.codes.append((event.event_type, code))

    def close(self) -> list[tuple[str, int]]:
        """Send what is left and return every event's type and the answer to it."""
        self.client.shutdown()
        return sorted(self.codes)


def node(url: str, key: str, what: str) -> list[dict[str, Any]]:
    """Run the Node library and return what it says became of each event."""
    program = ["node", str(NODE / "send.mjs"), url, key, what]
    return json.loads(subprocess.run(program, capture_output=True, check=True, text=True, timeout=100).stdout)


def who(landed: list[dict[str, Any]]) -> list[tuple[str, str, str, str]]:
    """Return what was done by whom."""
    return [(row["type"], row["event"], row["user_id"], row["anonymous_id"]) for row in landed]


@pytest.mark.parametrize("path", ["/2/httpapi", "/batch", "/amplitude/2/httpapi"])
def test_all_that_the_node_library_sends_lands(line: Line, client: Client, project: ProjectKeys, path: str) -> None:
    results = node(line.collector.url + path, project.write_key, "everything")
    assert [result["code"] for result in results] == [200] * 7
    line.wait_until_shipped()
    landed = landed_events(client, project.id)
    assert who(landed) == EVERYTHING
    buy, look, identify, acme, umbrella, _, revenue = landed
    assert json.loads(buy["properties"]) == {"price": 12.5, "tags": ["a"]}
    assert (buy["session_id"], buy["timestamp"].isoformat()) == ("1700000000000", "2023-11-14T22:13:21.234000+00:00")
    assert buy["sent_at"] is not None
    assert (buy["protocol"], buy["library"][:18]) == ("amplitude", "amplitude-node-ts/")
    assert (look["message_id"], json.loads(look["context"])["groups"]) == ("look-1", {"company": "acme"})
    assert [json.loads(identify[name]) for name in ("traits", "traits_once", "traits_increment", "properties")] == [
        {"plan": "pro"},
        {"first": 1},
        {"logins": 2},
        {"$user_properties": {"$append": {"tags": "x"}}},
    ]
    for group, name in ((acme, "acme"), (umbrella, "umbrella")):
        assert (group["group_type"], group["group_id"], json.loads(group["traits"])) == ("company", name, {"seats": 12})
    assert json.loads(revenue["properties"]) == {"$price": 9.99, "$productId": "A-17", "$quantity": 3}
    assert [reason for reason, *_ in rejects(client, project.id)] == ["illegal_id"]


@pytest.mark.parametrize("more", [{}, {"path": "/batch"}, {"path": "/amplitude/batch", "min_id_length": 1}])
def test_all_that_the_python_library_sends_lands(
    line: Line, client: Client, project: ProjectKeys, more: dict[str, Any]
) -> None:
    sender = Python(line.collector.url + more.pop("path", "/2/httpapi"), project.write_key, **more)
    ada = EventOptions(user_id="ada", device_id="device-1")
    amplitude = sender.client
    amplitude.track(
        BaseEvent(
            "buy",
            user_id="ada",
            device_id="device-1",
            session_id=1700000000000,
            time=1700000001234,
            event_properties={"price": 12.5},
            user_properties={"plan": "free"},
            os_name="ios",
            language="de",
            ip="192.0.2.7",
            partner_id="p-1",
            revenue=3.5,
        )
    )
    amplitude.track(BaseEvent("look", device_id="device-1", groups={"company": "acme"}, insert_id="look-1"))
    amplitude.identify(Identify().set("plan", "pro").set_once("first", 1).add("logins", 2).unset("old"), ada)
    amplitude.group_identify("company", "acme", Identify().set("seats", 12))
    amplitude.track(GroupIdentifyEvent(groups={"company": "umbrella"}, group_properties={"seats": 13}))
    amplitude.set_group("company", "acme", ada)
    amplitude.revenue(Revenue(9.99, 3, "A-17"), ada)
    amplitude.track(BaseEvent("nobody", device_id="null"))
    assert {code for _, code in sender.close()} == {200}
    line.wait_until_shipped()
    landed = landed_events(client, project.id)
    assert who(landed) == EVERYTHING
    buy, _, identify, acme, umbrella, *_ = landed
    assert json.loads(buy["properties"]) == {"price": 12.5, "$revenue": 3.5}
    assert json.loads(buy["traits"]) == {"plan": "free"}
    assert (buy["ip"], buy["session_id"], buy["library"][:17]) == ("192.0.2.0", "1700000000000", "amplitude-python/")
    context = json.loads(buy["context"])
    assert (context["os"], context["locale"], context["amplitude"]) == ({"name": "ios"}, "de", {"partner_id": "p-1"})
    assert json.loads(identify["properties"]) == {"$user_properties": {"$unset": {"old": "-"}}}
    assert [json.loads(row["traits"]) for row in (acme, umbrella)] == [{"seats": 12}, {"seats": 13}]
    assert [reason for reason, *_ in rejects(client, project.id)] == ["illegal_id"]


def test_an_event_that_is_no_json_does_not_hold_up_its_batch(line: Line, client: Client, project: ProjectKeys) -> None:
    sender = Python(f"{line.collector.url}/2/httpapi", project.write_key)
    for n in (1.0, float("nan"), 2.0):
        sender.client.track(BaseEvent("buy", user_id="ada", event_properties={"n": n}))
    assert sender.close() == [("buy", 200)] * 3
    line.wait_until_shipped()
    assert [json.loads(row["properties"]) for row in landed_events(client, project.id)] == [{"n": 1.0}, {"n": 2.0}]
    assert [reason for reason, *_ in rejects(client, project.id)] == ["invalid_json"]


def test_a_key_that_is_unknown_is_final_for_both(line: Line) -> None:
    (result,) = node(f"{line.collector.url}/2/httpapi", "wk_unknown", "one")
    assert (result["code"], result["message"][:16]) == (400, "Invalid API key:")
    sender = Python(f"{line.collector.url}/2/httpapi", "wk_unknown")
    before = line.collector.metrics()['radixinsight_collector_requests_refused_total{code="unknown_write_key"}']
    sender.client.track(BaseEvent("buy", user_id="ada"))
    sender.close()
    after = line.collector.metrics()['radixinsight_collector_requests_refused_total{code="unknown_write_key"}']
    assert after == before + 1


@pytest.mark.parametrize("error", [CollectorBusyError("busy"), SpoolUnavailableError("full"), RadixError("unexpected")])
def test_pythons_library_waits_30_seconds_with_each_event_that_cannot_be_taken_now(error: RadixError) -> None:
    """Otherwise its 12 tries would be over within 10 seconds, and the events lost."""
    refusal: Any = BytesIO(refuse(Wire("POST", "/batch", b"", {}), error).body)
    answer = Response().parse(refusal)
    delays: list[int] = []

    class Storage:
        def push(self, _: BaseEvent, delay: int) -> tuple[bool, str]:
            delays.append(delay)
            return True, ""

    processor = ResponseProcessor()
    processor.setup(Config(api_key="wk"), Storage())
    processor.process_response(answer, [BaseEvent("buy", user_id="ada") for _ in range(200)])
    assert delays == [30_000] * 200


def test_a_batch_that_is_too_large_is_halved_until_it_fits(
    narrow_line: Line, client: Client, project: ProjectKeys
) -> None:
    results = node(f"{narrow_line.collector.url}/2/httpapi", project.write_key, "many")
    assert [result["code"] for result in results] == [200] * 40
    narrow_line.wait_until_shipped()
    ids = [json.loads(row["properties"])["n"] for row in landed_events(client, project.id)]
    assert sorted(ids) == list(range(40))


def test_pythons_library_makes_its_batches_smaller_too(narrow_line: Line, client: Client, project: ProjectKeys) -> None:
    sender = Python(f"{narrow_line.collector.url}/batch", project.write_key, flush_queue_size=40)
    for n in range(40):
        sender.client.track(BaseEvent("buy", user_id="ada", event_properties={"n": n, "text": "x" * 500}))
    deadline = time.monotonic() + 30
    while len(sender.codes) < 40 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert sender.close() == [("buy", 200)] * 40
    narrow_line.wait_until_shipped()
    ids = [json.loads(row["properties"])["n"] for row in landed_events(client, project.id)]
    assert sorted(ids) == list(range(40))
