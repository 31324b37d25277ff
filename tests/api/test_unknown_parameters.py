"""A parameter that an operation does not know is refused, whichever it is: a misspelt one must not change an answer."""

from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute, APIWebSocketRoute

from api.app import create_app
from api.parameters import OPEN
from api.settings import ApiSettings

SPAN = {"from": "2025-03-03", "to": "2025-04-07"}


def test_every_operation_refuses_what_it_does_not_know_but_those_that_others_call() -> None:
    nowhere = "http://nowhere.invalid/"
    values = {"clickhouse_url": nowhere, "database_url": nowhere, "redis_url": nowhere, "show_mails": True}
    routes = create_app(ApiSettings.model_validate(values)).routes
    operations = [route for route in routes if isinstance(route, APIRoute | APIWebSocketRoute)]
    refusing = {
        route.name
        for route in operations
        if any(getattr(each.call, "__name__", "") == "refuse_unknown" for each in route.dependant.dependencies)
    }
    files_of_the_documentation = {"docs", "docs_start"}
    assert {route.name for route in operations} - refusing == OPEN | files_of_the_documentation


@pytest.mark.parametrize(
    ("method", "path", "given"),
    [
        ("POST", "query", {"fromat": "csv"}),
        ("POST", "query", {"explian": "1"}),
        ("POST", "sql", {"foo": "1"}),
        ("POST", "exports", {"zz": "1"}),
        ("POST", "live/tickets", {"zz": "1"}),
        ("GET", "event-names", SPAN | {"zz": "1"}),
        ("GET", "event-names", {"to": "soon", "form": "2025-03-03"}),
        ("GET", "insights/defined", {"zz": "1"}),
        ("GET", "live/events", {"zz": "1"}),
        ("GET", "live/counters", {"zz": "1"}),
        ("GET", "saved-insights/1/result", {"zz": "1"}),
        ("GET", "saved", {"zz": "1"}),
    ],
)
async def test_the_refusal_names_the_parameter(
    api: httpx.AsyncClient, modelled: Any, method: str, path: str, given: dict[str, str]
) -> None:
    url = f"/v1/projects/{modelled.berlin.id}/{path}"
    body = {"kind": "persons"} if path == "query" else {}
    answer = await api.request(method, url, params=given, json=body, headers=modelled.berlin.headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    unknown = {"location": ["query", list(given)[-1]], "message": "there is no such parameter here"}
    assert answer.json()["errors"] == [unknown | {"kind": "extra_forbidden"}]


async def test_who_may_not_ask_is_told_that_first(api: httpx.AsyncClient, modelled: Any) -> None:
    answer = await api.get(f"/v1/projects/{modelled.berlin.id}/live/counters", params={"zz": "1"})
    assert answer.status_code == 401


async def test_a_parameter_that_is_repeated_or_named_like_a_word_of_python_is_known(
    api: httpx.AsyncClient, modelled: Any
) -> None:
    url = f"/v1/projects/{modelled.berlin.id}/insights/funnel"
    given: dict[str, Any] = SPAN | {"step": ["catalog", "cart"], "format": "json"}
    assert (await api.get(url, params=given, headers=modelled.berlin.headers)).status_code == 200


async def test_an_identity_provider_may_add_what_it_likes(api: httpx.AsyncClient) -> None:
    given = {"state": "s", "code": "c", "session_state": "x", "scope": "openid"}
    answer = await api.get("/v1/sign-in/providers/1/callback", params=given)
    assert answer.json()["code"] != "invalid_request"


async def test_a_balancer_may_too(api: httpx.AsyncClient) -> None:
    assert (await api.get("/healthz", params={"probe": "7"})).status_code == 200
