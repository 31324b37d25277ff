"""Requests of every kind at a running collector: none makes a server error, and no acknowledged event is lost.

`RADIXINSIGHT_FUZZ_EXAMPLES=1500 pytest --timeout 0 tests/ingestion/test_fuzz.py` runs for about ten minutes.
"""

import json
import os
import re
import secrets
from collections.abc import Generator
from typing import Any

import httpx
import msgspec
import pytest
import schemathesis
from clickhouse_connect.driver.client import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance
from sqlalchemy.orm import Session

from core import metadata
from core.metadata.collection_rules import parse_rules, set_rules
from ingestion.endpoints import endpoints
from runtime.instance import Instance
from runtime.project_keys import ProjectKeys
from tests.ingestion.harness import Line, basic, landed_events
from tests.ingestion.protocols.resilience import junk, members

EXAMPLES = int(os.environ.get("RADIXINSIGHT_FUZZ_EXAMPLES", "30"))
PATHS = sorted(endpoints())
fuzzed = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
_NAMES = (
    *("type", "event", "messageId", "userId", "anonymousId", "previousId", "groupId", "timestamp", "sentAt", "context"),
    *("properties", "traits", "traitsOnce", "traitsIncrement", "batch", "name", "category", "sessionId"),
)
_WORDS = (b'"batch"', b'"writeKey"', b'"data"', b'"events"', b'"api_key"', b"data=", b"ip=1", b'"$set"', b'"e"')
_RULES = {
    "addresses": "drop",
    "properties": [
        {"path": "userId", "action": "hash"},
        {"path": "traits.**", "action": "hash"},
        {"path": "properties.*.*", "action": "drop"},
        {"path": "**", "action": "mask", "value": "[a-e]+|[0-9]"},
    ],
}
_HEADERS = st.dictionaries(
    st.sampled_from(
        ["content-type", "content-encoding", "origin", "user-agent", "x-forwarded-for", "sp-anonymous", "accept"]
    ),
    st.sampled_from(["", "gzip", "text/plain", "application/json", "a" * 300, "*", "null", "1.2.3.4, x", "br", "\x7f"]),
    max_size=3,
)


@pytest.fixture(scope="module")
def web() -> Generator[httpx.Client]:
    """Return a client with kept connections."""
    with httpx.Client(timeout=60) as web:
        yield web


@pytest.fixture
def schema(line: Line) -> Any:
    """Return the document that the running collector publishes."""
    return schemathesis.openapi.from_url(f"{line.collector.url}/openapi.json")


document = schemathesis.pytest.from_fixture("schema")


@document.parametrize()  # pyright: ignore[reportUntypedFunctionDecorator]
@fuzzed
def test_every_answer_is_one_that_the_document_describes(case: Any, project: ProjectKeys) -> None:
    answer = case.call(headers=basic(project.write_key))
    case.validate_response(answer, checks=[not_a_server_error, status_code_conformance, response_schema_conformance])


def test_no_request_on_any_path_makes_a_server_error(line: Line, project: ProjectKeys, web: httpx.Client) -> None:
    key = project.write_key.encode()

    @fuzzed
    @given(
        method=st.sampled_from(["POST", "POST", "GET", "OPTIONS", "PUT"]),
        path=st.sampled_from(PATHS),
        query=junk(b"data=", b"e=pv", b"ip=1", b"token=", key),
        body=junk(*_WORDS, key, b'"' + key + b'"') | members("batch", "data", "events", "schema", api_key=key.decode()),
        headers=_HEADERS,
        has_key=st.booleans(),
    )
    def send(*, method: str, path: str, query: bytes, body: bytes, headers: dict[str, str], has_key: bool) -> None:
        target = httpx.URL(line.collector.url).copy_with(path=path, query=_visible(query))
        answer = web.request(
            method, target, content=body, headers=headers | (basic(project.write_key) if has_key else {})
        )
        assert answer.status_code < 500, answer.text

    send()


@pytest.fixture(params=[None, _RULES], ids=["without rules", "with rules"])
def ruled(request: pytest.FixtureRequest, runtime: Instance, project: ProjectKeys) -> ProjectKeys:
    """Return a project that no collector has seen yet, without rules on personal data and with some."""
    if request.param is not None:
        engine = metadata.connect(runtime.database_url)
        with Session(engine) as session, session.begin():
            set_rules(session, project.id, parse_rules(json.dumps(request.param).encode()))
        engine.dispose()
    return project


def test_what_was_acknowledged_among_junk_lands_once(
    line: Line, ruled: ProjectKeys, client: Client, web: httpx.Client
) -> None:
    acknowledged: set[str] = set()
    swallowed: set[str] = set()
    rejected = 0
    piece = members(*_NAMES, type="track", event="junk", userId="ada") | members(*_NAMES) | junk(b'"type"', b'"track"')

    @fuzzed
    @given(st.lists(piece, max_size=6), st.integers(0, 6))
    def send(pieces: list[bytes], position: int) -> None:
        nonlocal rejected
        good = secrets.token_hex(8)
        event = {"type": "track", "event": "good", "userId": "ada", "messageId": good}
        is_clear = all(map(_ends_within, pieces))
        pieces = pieces.copy()
        pieces.insert(position, msgspec.json.encode(event))
        answer = web.post(
            f"{line.collector.url}/v1/batch",
            content=b'{"batch":[' + b",".join(pieces) + b"]}",
            headers=basic(ruled.write_key),
        )
        assert answer.status_code in {200, 400}, answer.text
        if answer.status_code == 200:
            (acknowledged if is_clear else swallowed).add(good)
            rejected += answer.json().get("rejected", 0)

    send()
    line.wait_until_shipped()
    landed = [row["message_id"] for row in landed_events(client, ruled.id) if row["event"] == "good"]
    assert len(acknowledged) > EXAMPLES / 5
    assert len(set(landed)) == len(landed)
    assert acknowledged <= set(landed) <= acknowledged | swallowed
    sql = "select count() from raw.rejects where project_id = {id:UInt32}"
    assert client.query(sql, parameters={"id": ruled.id}).result_rows[0][0] == rejected


def _ends_within(piece: bytes) -> bool:
    """Say whether the quotes and brackets of a piece end within it.

    Those that do not may end in a later piece, and then whatever stands between is part of the one event that is
    rejected.
    """
    bare = re.sub(rb'"(?:[^"\\]|\\.)*"', b"", piece, flags=re.DOTALL)
    depth = 0
    for byte in bare:
        depth += (byte in b"{[") - (byte in b"}]")
        if depth < 0 or byte in b'"':
            return False
    return depth == 0


def _visible(query: bytes) -> bytes:
    """Escape what no client can put into a request's first line."""
    return b"".join(b"%c" % byte if 0x21 <= byte <= 0x7E and byte != 0x23 else b"%%%02X" % byte for byte in query)
