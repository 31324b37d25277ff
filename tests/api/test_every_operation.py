"""Requests of every kind at every operation, by whoever may most, by a program, and by whoever may least.

`RADIXINSIGHT_FUZZ_EXAMPLES=500 pytest --timeout 0 tests/api/test_every_operation.py` runs for about forty minutes, with
other requests each time. The endless event stream has tests of its own.
"""

import json
import os
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, get_args
from uuid import uuid4

import httpx
import msgspec
import pytest
import requests
import schemathesis
from argon2 import PasswordHasher
from argon2.profiles import CHEAPEST
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from sqlalchemy.orm import Session

from api.accounts import passwords
from api.app import create_app
from api.openapi import SNAPSHOT
from api.queries.examples import DOCUMENTS
from api.serving import make_server
from api.settings import ApiSettings
from core import metadata
from core.insights.operators import Operator
from core.metadata import projects
from core.metadata.accounts import Membership
from core.metadata.organisations import create_organisation, first_organisation, invite, role_named
from core.metadata.permissions import KEY_SCOPES
from engine.accounts import PASSWORD, new_address, new_email
from runtime.instance import Instance
from tests.api.conftest import Modelled

_LONG = os.environ.get("RADIXINSIGHT_FUZZ_EXAMPLES")
_CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# What reads, reads a project with events; what changes something has a project of its own.
_READING = ("insights", "event-names", "query", "sql", "counters")

document = schemathesis.openapi.from_path(SNAPSHOT)
# It would write conditions within conditions until the memory ends; see below.
document.config.phases.coverage.enabled = False
_fuzzed = settings(
    max_examples=int(_LONG or "4"),
    derandomize=_LONG is None,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)


class _Served(msgspec.Struct, frozen=True):
    url: str
    organisation: int
    project: int
    full_project: int
    emails: list[str]
    """Of an owner and a viewer."""
    keys: dict[int, str]
    """By project."""


class _Callers:
    def __init__(self, session: requests.Session, url: str, emails: list[str]) -> None:
        self.session = session
        self._url = url
        self._headers: dict[str, dict[str, str]] = {email: {} for email in emails}

    def headers(self) -> list[dict[str, str]]:
        """Return what each sends; whose session was ended signs in anew."""
        for email, known in self._headers.items():
            if self.session.get(f"{self._url}/v1/me", headers=known).status_code == 401:
                body = {"email": email, "password": PASSWORD}
                address = {"x-forwarded-for": new_address()}
                signed_in = self.session.post(f"{self._url}/v1/tokens", json=body, headers=address)
                self._headers[email] = {"authorization": f"Bearer {signed_in.json()['access_token']}"}
        return list(self._headers.values())


@pytest.fixture(scope="module")
def served(runtime: Instance, modelled: Modelled, tmp_path_factory: pytest.TempPathFactory) -> Generator[_Served]:
    """Run the API with an organisation, and people who may read a project with events too."""
    settings = ApiSettings.model_validate(
        {
            "clickhouse_url": runtime.clickhouse_reader_url,
            "database_url": runtime.database_url,
            "redis_url": runtime.redis_url,
            "marts_database": modelled.database,
            "intermediate_database": "apitest_intermediate",
            "secret_key": "s" * 40,
            "mail_dir": tmp_path_factory.mktemp("mails"),
            "sign_in_attempts": 100_000,
            "export_look_seconds": 3600,
        }
        # Exports of other tests are none of its business, and it leaves them none.
    ).model_copy(update={"project_max_exports": 0})
    engine = metadata.connect(runtime.database_url)
    with Session(engine) as session, session.begin():
        organisation = create_organisation(session, "Fuzzed").id
        project = projects.create_project(session, uuid4().hex, organisation_id=organisation).id
        keys = {
            each: projects.create_api_key(session, each, "fuzzed", scopes=KEY_SCOPES)
            for each in (project, modelled.berlin.id)
        }
        emails = {role: new_email() for role in ("owner", "viewer")}
        tokens = {
            role: invite(
                session, organisation, email, role_named(session, organisation, role), invited_by=None, is_mailed=True
            )[1]
            for role, email in emails.items()
        }
    with _running(settings) as url:
        for role, token in tokens.items():
            user_id = _signed_up(url, token)
            with Session(engine) as session, session.begin():
                first = first_organisation(session).id
                role_id = role_named(session, first, role).id
                session.add(Membership(organisation_id=first, user_id=user_id, role_id=role_id))
        yield _Served(url, organisation, project, modelled.berlin.id, list(emails.values()), keys)
    engine.dispose()


@pytest.fixture(scope="module")
def callers(served: _Served) -> Generator[_Callers]:
    """Return what the owner and the viewer send."""
    with requests.Session() as session:
        yield _Callers(session, served.url, served.emails)


@document.exclude(operation_id=["stream_live_events", "query"]).parametrize()  # pyright: ignore[reportUntypedFunctionDecorator]
@_fuzzed
def test_every_answer_is_one_that_the_document_describes(case: Any, served: _Served, callers: _Callers) -> None:
    names = case.path_parameters or {}
    is_reading = any(word in case.operation.path for word in _READING)
    project = served.full_project if is_reading else served.project
    real = {"organisation_id": served.organisation, "project_id": project}
    # What does not even look like an id stays.
    case.path_parameters = names | {name: real[name] for name in names if name in real and isinstance(names[name], int)}
    for headers in (*callers.headers(), {"authorization": f"Bearer {served.keys[project]}"}):
        answer = case.call(base_url=served.url, headers=headers, session=callers.session, timeout=60)
        # An address of 64 KiB is none for uvicorn itself.
        if answer.content != b"Invalid HTTP request received.":
            # Where no identity provider answers, at the example's address too, that is said.
            is_elsewhere = answer.status_code == 502 and answer.json()["code"] == "provider_unavailable"
            case.validate_response(answer, checks=_CHECKS[is_elsewhere:])


_TEXTS = st.sampled_from(
    ["plan", "", " ", "\x00", "%00", "💶", "it's", "{event:String}", "a" * 1001, "(a+)+$", "[", "1e999"]
)
_VALUES = (
    st.none()
    | st.booleans()
    | st.sampled_from([0, -1, 2**31, 2**32, 2**63, 2**64, 10**400, 1.5, 1e308, -1e-320])
    | _TEXTS
    | st.sampled_from(["-7d", "today", "+999999999d", "2026-02-30", "9999-12-31T23:59:59Z", "0001-01-01", "1h", "0d"])
)
_PARTS = st.recursive(
    _VALUES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.fixed_dictionaries(
            {},
            optional={
                "property": st.sampled_from(["plan", "total", ["a", "b"]]) | _VALUES,
                "column": st.sampled_from(["country", "page_path"]),
                "trait": st.just("tier"),
                "session": st.sampled_from(["channel", "duration_ms"]),
                "operator": st.sampled_from(get_args(Operator)),
                "value": inner,
            },
        )
        | st.dictionaries(st.sampled_from(["all", "any", "none", "did", "did_not", "first_did"]), inner, max_size=1)
    ),
    max_leaves=6,
)


@_fuzzed
@given(kind=st.sampled_from(sorted(DOCUMENTS)), places=st.lists(st.integers(0, 40), max_size=3), part=_PARTS)
def test_every_query_document_is_answered_or_refused(
    kind: str, places: list[int], part: Any, served: _Served, callers: _Callers
) -> None:
    asked = json.loads(json.dumps(DOCUMENTS[kind]))
    for place in places:
        _put(asked, place, json.loads(json.dumps(part)))
    url = f"{served.url}/v1/projects/{served.full_project}/query"
    for headers in (*callers.headers(), {"authorization": f"Bearer {served.keys[served.full_project]}"}):
        answer = callers.session.post(url, data=json.dumps(asked), headers=headers, timeout=60)
        assert answer.status_code in {200, 403, 413, 422}, answer.text
        assert answer.json()["kind" if answer.ok else "code"]


def _put(asked: Any, place: int, part: Any) -> None:
    """Put a part in one of the places of a document, or beside them, as a condition perhaps."""
    found: list[tuple[Any, Any]] = [(asked, name) for name in ("where", "who", "events", "exclude", "breakdown")]
    waiting = [asked]
    while waiting:
        node = waiting.pop()
        items = list(node.items() if isinstance(node, dict) else enumerate(node))
        found += [(node, key) for key, _ in items]
        waiting += [value for _, value in items if isinstance(value, dict | list)]
    node, key = found[place % len(found)]
    node[key] = part


@contextmanager
def _running(settings: ApiSettings) -> Generator[str]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(passwords, "PasswordHasher", lambda: PasswordHasher.from_parameters(CHEAPEST))
        server = make_server(
            create_app(settings), "127.0.0.1", 0, before_stop=lambda: None, trusted_proxies="127.0.0.1"
        )
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        server.should_exit = True
        thread.join()


def _signed_up(url: str, invitation: str) -> int:
    with httpx.Client(base_url=url, headers={"x-forwarded-for": new_address()}) as browser:
        body = {"invitation": invitation, "name": "Ada", "password": PASSWORD}
        assert browser.post("/v1/sign-up", json=body).status_code == 204
        # The cookie is for TLS alone.
        cookie = browser.cookies.get("radixinsight") or ""
        return browser.get("/v1/me", headers={"cookie": f"radixinsight={cookie}"}).json()["id"]
