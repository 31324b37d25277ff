import json
import re
from collections.abc import Generator

import httpx
import pytest

from ingestion.request_ids import RequestIds
from runtime.instance import Instance
from runtime.project_keys import ProjectKeys
from tests.ingestion.harness import Line, Sender, basic


@pytest.fixture(scope="module")
def line(runtime: Instance, tmp_path_factory: pytest.TempPathFactory) -> Generator[Line]:
    """Return a collector whose log can be read by a program."""
    line = Line(runtime.variables, tmp_path_factory.mktemp("logged"), RADIXINSIGHT_LOG_FORMAT="json")
    line.collector.start()
    yield line
    line.stop()


def logged(line: Line, request_id: str) -> list[dict[str, object]]:
    """Return the log lines of a request."""
    found = (json.loads(text) for text in line.collector.log.read_text().splitlines() if text.startswith("{"))
    return [entry for entry in found if entry.get("request_id") == request_id]


def test_every_request_has_an_id_of_its_own(line: Line, project: ProjectKeys) -> None:
    sender = Sender(line.collector.url, project.write_key)
    ids = [sender.batch({}).headers["x-request-id"] for _ in range(3)]
    ids += [httpx.get(f"{line.collector.url}/{path}").headers["x-request-id"] for path in ("healthz", "nothing")]
    assert len(set(ids)) == 5


def test_the_id_that_a_request_came_with_is_kept(line: Line, project: ProjectKeys) -> None:
    given = {"x-request-id": "4bf92f35.77b34da6:a3-1"}
    answer = Sender(line.collector.url, project.write_key).post("/v1/track", {"event": "buy", "userId": "ada"}, **given)
    assert answer.headers["x-request-id"] == given["x-request-id"]


@pytest.mark.parametrize("given", ["", "a b", "a\x1bb", "x" * 65, "é", 'a"b'])
def test_an_id_that_does_not_belong_into_a_log_is_replaced(given: str) -> None:
    assert re.fullmatch(r"[0-9a-f]{10}-1", RequestIds().of({"x-request-id": given}))


@pytest.mark.parametrize("path", ["/v1/track", "/posthog/batch", "/2/httpapi", "/nothing"])
def test_a_problem_names_the_request(line: Line, path: str) -> None:
    answer = httpx.post(f"{line.collector.url}{path}", json={}, headers={"x-request-id": "mine"})
    assert answer.is_error
    assert answer.headers["x-request-id"] == "mine"
    if answer.headers["content-type"] == "application/problem+json":
        assert answer.json()["request_id"] == "mine"


def test_a_refused_request_leaves_one_line_without_its_key(line: Line) -> None:
    key = "wk_0123456789abcdefghijklmnopqrstuv"
    httpx.post(f"{line.collector.url}/v1/track", json={}, headers=basic(key) | {"x-request-id": "refused-1"})
    (entry,) = logged(line, "refused-1")
    assert (entry["event"], entry["status"], entry["code"]) == ("request_refused", 401, "unknown_write_key")
    assert (entry["path"], entry["protocol"], entry["write_key"]) == ("/v1/track", "segment", "wk_01234…")
    assert key not in line.collector.log.read_text()


def test_nothing_of_a_password_that_is_no_write_key_gets_into_a_log(line: Line) -> None:
    """Such as that of a staging site before the collector, or a token for something else."""
    for number, credentials in enumerate((basic("hunter2-of-another")["authorization"], "Bearer hunter2-of-another")):
        headers = {"authorization": credentials, "x-request-id": f"foreign-{number}"}
        answer = httpx.post(f"{line.collector.url}/v1/track", json={}, headers=headers)
        assert (answer.status_code, "hunter2" in answer.text) == (401, False)
        logged(line, f"foreign-{number}")
    assert "hunter2" not in line.collector.log.read_text()


def test_a_request_that_is_taken_leaves_no_line(line: Line, project: ProjectKeys) -> None:
    sender = Sender(line.collector.url, project.write_key)
    assert sender.post("/v1/track", {"event": "buy", "userId": "ada"}, **{"x-request-id": "taken-1"}).is_success
    assert logged(line, "taken-1") == []


def test_a_flood_of_refusals_does_not_fill_the_log(line: Line) -> None:
    def refused() -> int:
        return line.collector.log.read_text().count('"request_refused"')

    before = refused()
    with httpx.Client() as client:
        for _ in range(400):
            client.post(f"{line.collector.url}/v1/track", content=b"")
            if "request_refusals_not_logged" in line.collector.log.read_text():
                break
    assert 0 < refused() - before < 400


def test_a_page_may_read_the_id(line: Line) -> None:
    answer = httpx.post(f"{line.collector.url}/v1/track", json={}, headers={"origin": "https://shop.example"})
    assert "x-request-id" in answer.headers["access-control-expose-headers"].lower()
