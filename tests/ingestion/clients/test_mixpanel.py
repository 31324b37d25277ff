"""Mixpanel's own clients, unmodified, against a running collector."""

import base64
import gzip
import logging
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import mixpanel
import msgspec
import pytest
from clickhouse_connect.driver.client import Client
from mixpanel import BufferedConsumer, Consumer, Mixpanel, MixpanelException

from runtime.project_keys import ProjectKeys
from tests.ingestion.harness import Line, Sender, landed_events, rejects

NODE = Path(__file__).parent / "node" / "mixpanel"
NOON = 1_714_996_800


def urls(line: Line, prefix: str = "") -> dict[str, Any]:
    """Return where a consumer sends to."""
    paths = {"events_url": "track", "people_url": "engage", "groups_url": "groups", "import_url": "import"}
    return {name: f"{line.collector.url}{prefix}/{path}" for name, path in paths.items()}


def run(script: str, *arguments: str) -> Any:
    """Run a script with Node and return the JSON that it prints."""
    command = ["node", script, *arguments]
    ran = subprocess.run(command, cwd=NODE, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    return msgspec.json.decode(ran.stdout.splitlines()[-1])


def landed(line: Line, client: Client, project: ProjectKeys) -> list[dict[str, Any]]:
    """Return what a project's events landed as, JSON members decoded."""
    line.wait_until_shipped()
    rows = landed_events(client, project.id)
    for row in rows:
        for name in ("properties", "traits", "traits_once", "traits_increment", "context"):
            row[name] = msgspec.json.decode(row[name] or "{}")
    return rows


@pytest.mark.parametrize("prefix", ["", "/mixpanel"])
def test_the_python_client_tracks(line: Line, client: Client, project: ProjectKeys, prefix: str) -> None:
    sender = Mixpanel(project.write_key, Consumer(**urls(line, prefix)))
    sender.track("ada", "bought", {"price": 12.5, "note": "Größe + 1 % & more? 👍", "$insert_id": "p-1", "time": NOON})
    sender.track("$device:d1", "looked")
    sender.track("ada", "looked", {"$device_id": "d1", "$current_url": "https://shop.example/a"})
    bought, anonymous, both = landed(line, client, project)
    assert (bought["type"], bought["event"], bought["user_id"], bought["message_id"]) == (
        "track",
        "bought",
        "ada",
        "p-1",
    )
    assert bought["timestamp"].timestamp() == NOON
    assert bought["properties"]["note"] == "Größe + 1 % & more? 👍"
    assert (bought["protocol"], bought["library"], bought["ip"]) == ("mixpanel", f"python/{mixpanel.__version__}", "")
    assert (anonymous["anonymous_id"], anonymous["user_id"]) == ("d1", "")
    assert (both["anonymous_id"], both["user_id"]) == ("d1", "ada")
    assert both["context"]["page"] == {"url": "https://shop.example/a"}


def test_a_buffer_of_the_python_client_is_emptied_although_some_of_it_is_rejected(
    line: Line, client: Client, project: ProjectKeys
) -> None:
    consumer = BufferedConsumer(max_size=50, **urls(line))
    sender = Mixpanel(project.write_key, consumer)
    for number in range(120):
        sender.track("null" if number % 40 == 0 else "ada", "counted", {"number": number})
    consumer.flush()
    rows = landed(line, client, project)
    assert [row["properties"]["number"] for row in rows] == [number for number in range(120) if number % 40]
    assert [reason for reason, _, _ in rejects(client, project.id)] == ["illegal_id"] * 3


def test_the_python_client_imports_with_the_write_key_as_its_secret_or_in_the_events(
    line: Line, client: Client, project: ProjectKeys, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)  # it warns of its own ways to authenticate
    sender = Mixpanel(project.write_key, Consumer(**urls(line)))
    sender.import_data(None, "ada", "signed_up", NOON, {"plan": "pro"}, api_secret=project.write_key)
    sender.import_data("legacy-key", "ada", "left", NOON + 1, api_secret="legacy-secret")
    buffer = BufferedConsumer(**urls(line))
    buffered = Mixpanel(project.write_key, buffer)
    for number in range(60):
        buffered.import_data(None, "ada", "visited", NOON + number)
    buffer.flush()
    rows = landed(line, client, project)
    assert [row["event"] for row in rows] == ["signed_up", "left", *["visited"] * 60]
    assert rows[0]["timestamp"].timestamp() == NOON


def test_a_service_account_names_the_write_key_as_its_project(line: Line, client: Client, project: ProjectKeys) -> None:
    account = mixpanel.ServiceAccountCredentials("account", "secret", project.write_key)
    sender = Mixpanel(project.write_key, Consumer(**urls(line), credentials=account))
    sender.import_data(None, "ada", "signed_up", NOON)
    assert [row["event"] for row in landed(line, client, project)] == ["signed_up"]


def test_the_python_client_updates_profiles(line: Line, client: Client, project: ProjectKeys) -> None:
    sender = Mixpanel(project.write_key, Consumer(**urls(line)))
    sender.people_set("ada", {"plan": "pro"}, meta={"$ip": "203.0.113.9"})
    sender.people_set_once("ada", {"first_seen": "2024-05-06"})
    sender.people_increment("ada", {"logins": 2, "credits": -1})
    sender.people_append("ada", {"pages": "home"})
    sender.people_union("ada", {"browsers": ["firefox"]})
    sender.people_remove("ada", {"browsers": "chrome"})
    sender.people_unset("ada", ["old"])
    sender.people_track_charge("ada", 29.99)
    sender.people_clear_charges("ada")
    sender.people_delete("ada")
    rows = sorted(landed(line, client, project), key=lambda row: row["properties"]["$time"])
    assert {(row["type"], row["user_id"], row["anonymous_id"]) for row in rows} == {("identify", "ada", "")}
    assert (rows[0]["traits"], rows[0]["ip"]) == ({"plan": "pro"}, "203.0.113.0")
    assert rows[1]["traits_once"] == {"first_seen": "2024-05-06"}
    assert rows[2]["traits_increment"] == {"logins": 2, "credits": -1}
    assert rows[3]["properties"]["$append"] == {"pages": "home"}
    assert rows[4]["properties"]["$union"] == {"browsers": ["firefox"]}
    assert rows[5]["properties"]["$remove"] == {"browsers": "chrome"}
    assert (rows[6]["properties"]["$unset"], rows[8]["properties"]["$unset"]) == (["old"], ["$transactions"])
    assert rows[7]["properties"]["$append"] == {"$transactions": {"$amount": 29.99}}
    assert rows[9]["properties"]["$delete"] == ""


def test_the_python_client_updates_groups(line: Line, client: Client, project: ProjectKeys) -> None:
    consumer = BufferedConsumer(**urls(line))
    sender = Mixpanel(project.write_key, consumer)
    sender.group_set("company", "acme", {"seats": 5})
    sender.group_set_once("company", "acme", {"since": "2024"})
    sender.group_union("company", "acme", {"products": ["anvil"]})
    consumer.flush()
    rows = landed(line, client, project)
    assert {(row["type"], row["event"], row["group_type"], row["group_id"]) for row in rows} == {
        ("group", "$group", "company", "acme")
    }
    assert {(row["user_id"], row["anonymous_id"]) for row in rows} == {("", "")}
    assert [row["traits"] for row in rows] == [{"seats": 5}, {}, {}]
    assert rows[1]["traits_once"] == {"since": "2024"}
    assert rows[2]["properties"]["$union"] == {"products": ["anvil"]}


def test_the_python_client_aliases_and_merges(
    line: Line, client: Client, project: ProjectKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its `alias` always sends to Mixpanel's host, whatever the consumer: only a patch can lead it here."""
    sender = Mixpanel(project.write_key, Consumer(**urls(line)))
    monkeypatch.setattr(mixpanel, "Consumer", partial(Consumer, **urls(line)))
    sender.alias("ada", "visitor-1")
    sender.merge(None, "ada", "ada2")
    rows = landed(line, client, project)
    assert [(row["type"], row["previous_id"], row["user_id"]) for row in rows] == [
        ("alias", "visitor-1", "ada"),
        ("alias", "ada2", "ada"),
    ]


def test_the_python_client_says_why_it_is_refused(line: Line) -> None:
    sender = Mixpanel("0123456789abcdef", Consumer(**urls(line)))
    with pytest.raises(MixpanelException, match="unknown or revoked"):
        sender.track("ada", "bought")
    with pytest.raises(MixpanelException, match="unknown or revoked"):
        sender.import_data(None, "ada", "bought", NOON)


def test_the_node_client_says_everything_it_can(line: Line, client: Client, project: ProjectKeys) -> None:
    host = line.collector.url.removeprefix("http://")
    answers = run("server.mjs", host, "", project.write_key, "legacy-api-key")
    assert {name: answer for name, answer in answers.items() if answer != "ok"} == {}
    rows = landed(line, client, project)
    by_id = {row["message_id"]: row for row in rows}
    assert (by_id["n-1"]["event"], by_id["n-1"]["user_id"]) == ("bought", "ada")
    assert by_id["n-1"]["properties"]["note"] == "Größe + 1 % & more? ~ 👍"
    assert by_id["n-1"]["timestamp"].timestamp() == NOON + 0.25
    assert by_id["n-1"]["library"].startswith("node/")
    assert (by_id["n-2"]["anonymous_id"], by_id["n-2"]["user_id"]) == ("d1", "")
    assert [by_id[message_id]["event"] for message_id in ("n-3", "n-4", "n-5")] == ["opened", "closed", "signed_up"]
    assert sum(row["event"] == "visited" for row in rows) == 60
    assert [(row["previous_id"], row["user_id"]) for row in rows if row["type"] == "alias"] == [("d1", "ada")]
    profiles = [row for row in rows if row["type"] == "identify"]
    assert len(profiles) == 9
    assert profiles[0]["traits"] == {"plan": "pro", "$email": "ada@example.com"}
    assert (profiles[0]["ip"], profiles[0]["timestamp"].timestamp()) == ("203.0.113.0", NOON + 0.25)
    assert profiles[2]["traits_increment"] == {"logins": 2, "credits": -1}
    assert [row["group_id"] for row in rows if row["type"] == "group"] == ["acme"] * 3
    assert [reason for reason, _, _ in rejects(client, project.id)] == ["illegal_id"]


def test_the_node_client_hears_that_its_token_is_unknown(line: Line) -> None:
    answers = run("server.mjs", line.collector.url.removeprefix("http://"), "/mixpanel", "0123456789abcdef", "none")
    # A batch is answered with a list of errors, one for each of its requests.
    assert {error for answer in answers.values() for error in answer.split(",")} == {"Error: Mixpanel Server Error: 0"}


def test_a_strict_import_keeps_the_good_events_and_says_which_are_bad(
    line: Line, client: Client, project: ProjectKeys, sender: Sender
) -> None:
    """As Mixpanel's documentation shows it for curl: gzip, Basic authentication with the project's token."""
    people = {"good": "ada", "bad": "undefined", "better": "bob"}
    events = [
        {"event": "bought", "properties": {"distinct_id": person, "$insert_id": number, "time": NOON * 1000}}
        for number, person in people.items()
    ]
    answer = sender.post("/import?strict=1", gzip.compress(msgspec.json.encode(events)), **{"content-encoding": "gzip"})
    said = answer.json()
    assert (answer.status_code, said["code"], said["num_records_imported"]) == (400, 400, 2)
    assert [(failed["index"], failed["insert_id"]) for failed in said["failed_records"]] == [(1, "bad")]
    assert [row["message_id"] for row in landed(line, client, project)] == ["good", "better"]
    stranger = httpx.post(f"{line.collector.url}/import?strict=1", json=events, auth=("account", "secret"))
    assert (stranger.status_code, stranger.json()["status"]) == (401, "Unauthorized")


def test_a_request_in_the_query_is_answered_with_a_pixel(line: Line, client: Client, project: ProjectKeys) -> None:
    event = {"event": "opened_mail", "properties": {"token": project.write_key, "distinct_id": "ada"}}
    data = base64.b64encode(msgspec.json.encode(event)).decode()
    answer = httpx.get(f"{line.collector.url}/track/", params={"data": data, "ip": "1", "img": "1"})
    assert (answer.status_code, answer.headers["content-type"], answer.content[:6]) == (200, "image/gif", b"GIF89a")
    (row,) = landed(line, client, project)
    assert (row["event"], row["ip"]) == ("opened_mail", "127.0.0.0")
