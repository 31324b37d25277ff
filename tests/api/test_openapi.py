import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

import api
from api import openapi
from api.app import create_app
from api.settings import ApiSettings
from core.errors import RadixError


@pytest.fixture(scope="module")
def rendered() -> str:
    nowhere = "http://nowhere.invalid/"
    settings = ApiSettings.model_validate({"clickhouse_url": nowhere, "database_url": nowhere, "redis_url": nowhere})
    return openapi.render(create_app(settings))


@pytest.fixture(scope="module")
def document(rendered: str) -> dict[str, Any]:
    return json.loads(rendered)


def _operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for path in document["paths"].values() for operation in path.values()]


def test_the_committed_document_is_what_the_application_publishes(rendered: str) -> None:
    """After a change of the API run `python -m api.openapi`."""
    assert openapi.SNAPSHOT.read_text(encoding="utf-8") == rendered


def test_the_document_is_valid_openapi(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    validate(document)


def test_every_operation_shows_an_example_answer(document: dict[str, Any]) -> None:
    without = [
        operation["operationId"]
        for operation in _operations(document)
        for status, response in operation["responses"].items()
        if status.startswith("2")
        for media, content in response.get("content", {}).items()
        if media == "application/json" and not {"example", "examples"} & {*content, *content["schema"]}
    ]
    assert without == []


def test_every_example_fits_its_own_schema(document: dict[str, Any]) -> None:
    for operation in _operations(document):
        for response in operation["responses"].values():
            for content in response.get("content", {}).values():
                examples = [named["value"] for named in content.get("examples", {}).values()]
                examples += [content["example"]] if "example" in content else []
                schema = {**content["schema"], "components": document["components"]}
                for example in examples:
                    Draft202012Validator(schema).validate(example)


def test_every_operation_with_a_body_shows_one_that_fits_its_schema(document: dict[str, Any]) -> None:
    for operation in _operations(document):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            schema = {**content["schema"], "components": document["components"]}
            shown = [named["value"] for named in content.get("examples", {}).values()]
            for example in shown or [content.get("example") or _composed(content["schema"], document)]:
                assert example, operation["operationId"]
                Draft202012Validator(schema).validate(example)


def _composed(schema: dict[str, Any], document: dict[str, Any]) -> Any:
    """Return the example of a schema, or the one that the documentation page puts together of its parts."""
    if "examples" in schema:
        return schema["examples"][0]
    if "$ref" in schema:
        return _composed(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], document)
    if "anyOf" in schema:
        return _composed(schema["anyOf"][0], document)
    parts = {name: _composed(part, document) for name, part in schema.get("properties", {}).items()}
    return {name: example for name, example in parts.items() if example}


# By these somebody shows who he is.
_OPEN = frozenset(
    (
        "get_export_file",
        "look_up_invitation",
        "sign_up",
        "sign_in",
        "create_tokens",
        "refresh_tokens",
        "request_password_reset",
        "reset_password",
        "verify_email",
        "open_link",
        "find_identity_providers",
        "start_provider_sign_in",
        "end_openid_sign_in",
        "answer_saml_sign_in",
        "end_saml_sign_in",
        "get_saml_metadata",
    )
)


def test_every_example_of_a_document_fits_the_schema_and_each_kind_has_one(document: dict[str, Any]) -> None:
    body = document["paths"]["/v1/projects/{project_id}/query"]["post"]["requestBody"]["content"]["application/json"]
    schema = {**body["schema"], "components": document["components"]}
    for named in body["examples"].values():
        Draft202012Validator(schema).validate(named["value"])
    kinds = document["components"]["schemas"]["QueryDocument"]["discriminator"]["mapping"]
    assert set(body["examples"]) == set(kinds)


def test_every_code_of_an_error_stands_in_the_documentation() -> None:
    for module in walk_packages(api.__path__, "api."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    text = (Path(openapi.SNAPSHOT).parents[1] / "docs" / "api.md").read_text(encoding="utf-8")
    codes = {each.code for each in _kinds_of(RadixError) if each.__module__.startswith("api.")}
    assert len(codes) > 50
    assert {code for code in codes if f"`{code}`" not in text} == set()


def _kinds_of(error: type[RadixError]) -> Iterator[type[RadixError]]:
    for each in error.__subclasses__():
        yield each
        yield from _kinds_of(each)


def test_every_other_operation_under_v1_needs_a_key_or_a_session_and_says_so(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for operation in operations.values():
            is_closed = path.startswith("/v1/") and operation["operationId"] not in _OPEN
            assert ("security" in operation) == is_closed
            assert "401" in operation["responses"] or not is_closed


def test_every_error_is_a_problem_document(document: dict[str, Any]) -> None:
    for operation in _operations(document):
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                assert set(response["content"]) == {"application/problem+json"}
