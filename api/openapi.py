"""The OpenAPI document: `python -m api.openapi` writes the committed snapshot, from which clients are generated."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter

from api.examples import BY_OPERATION, SEVERAL_BY_OPERATION
from api.parameters import OPEN
from api.problems import BODY_TOO_LARGE, UNSUITABLE, Problem
from api.queries.documents import QueryDocument
from api.saved.contents import QUERY_SCHEMA

SNAPSHOT = Path(__file__).with_name("openapi.json")

DESCRIPTION = """\
Questions about a project's events, answered from its modelled tables.

Every answer carries `meta`: the statement that was run with its parameters, the tables it read, when, and up to which
instant events are counted, so that each number can be traced. Times are half-open ranges; dates are days in the
project's time zone. Errors are problem documents (RFC 9457) with a stable `code`."""


def document(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of `app`, built once."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title,
            version=app.version,
            openapi_version="3.1.0",
            description=DESCRIPTION,
            routes=app.routes,
            license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
            tags=[
                {"name": "accounts", "description": "One's own account: signing up and in, sessions, second factors."},
                {"name": "organisations", "description": "Organisations, their members and invitations."},
                {"name": "roles", "description": "Who may do what: roles, teams, and grants for single projects."},
                {"name": "audit", "description": "Who changed or read what, when and from where."},
                {"name": "projects", "description": "The projects that whoever asks may see."},
                {"name": "keys", "description": "Keys of a project, for sending events and for reading data."},
                {"name": "insights", "description": "Figures about one project's events."},
                {"name": "sql", "description": "Analysts' own statements over one project's marts."},
                {"name": "exports", "description": "All events of a range, or all persons, as one file."},
                {"name": "live", "description": "What comes in at this moment. WebSockets: docs/live.md."},
                {"name": "queries", "description": "Any question, as a typed document."},
                {
                    "name": "saved",
                    "description": "Insights, dashboards, annotations, folders, and their versions.",
                },
                {"name": "catalogue", "description": "Events and properties, and what they mean."},
                {"name": "sharing", "description": "Links by which whoever has one sees a dashboard or an insight."},
                {"name": "health", "description": "For supervisors and monitoring; no API key needed."},
            ],
        )
        problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        components = schema.setdefault("components", {}).setdefault("schemas", {})
        components.update(problem.pop("$defs", {}))
        components["Problem"] = problem
        asked = TypeAdapter[Any](QueryDocument).json_schema(by_alias=True, ref_template="#/components/schemas/{model}")
        for name, described in asked.pop("$defs").items():
            if components.setdefault(name, described) != described:
                raise TypeError(f"Two models are called {name}: the document has room for one.")
        components["QueryDocument"] = asked
        for described in components.values():
            for name, part in described.get("properties", {}).items():
                if part.items() >= QUERY_SCHEMA.items():
                    beside = {key: value for key, value in part.items() if key not in QUERY_SCHEMA}
                    described["properties"][name] = {"$ref": "#/components/schemas/QueryDocument", **beside}
        _bound_bodies(schema)
        _close(schema)
        _show_examples(schema)
        app.openapi_schema = schema
    return app.openapi_schema


def _bound_bodies(schema: dict[str, Any]) -> None:
    """Say of every operation that takes a body that it may be too large, whatever else it is refused for with 413."""
    for operations in schema["paths"].values():
        for operation in operations.values():
            if "requestBody" in operation:
                refused = deepcopy(BODY_TOO_LARGE[413])
                own = operation["responses"].get("413", refused)
                examples = own["content"]["application/problem+json"]["examples"]
                examples |= refused["content"]["application/problem+json"]["examples"]
                operation["responses"]["413"] = own


def _close(schema: dict[str, Any]) -> None:
    """Say of every operation that refuses what it does not know that it does, whatever else it is refused for."""
    for operations in schema["paths"].values():
        for operation in operations.values():
            if operation["operationId"] not in OPEN:
                operation["responses"].setdefault("422", UNSUITABLE[422])


def _show_examples(schema: dict[str, Any]) -> None:
    # FastAPI strips nulls from examples that stand in the models, and an answer without them breaks its own schema.
    for operations in schema["paths"].values():
        for operation in operations.values():
            answered = next(
                answer for status, answer in operation["responses"].items() if status.startswith(("2", "3"))
            )
            content = answered.get("content", {}).get("application/json")
            if content is None or not content["schema"]:
                continue
            several = SEVERAL_BY_OPERATION.get(operation["operationId"])
            if several is None:
                content["example"] = BY_OPERATION[operation["operationId"]]
            else:
                content["examples"] = {name: {"value": value} for name, value in several.items()}


def render(app: FastAPI) -> str:
    """Return the document as it is committed."""
    return json.dumps(document(app), indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the snapshot beside this module."""
    from api.app import create_app  # noqa: PLC0415 - the application itself uses this module
    from api.settings import ApiSettings  # noqa: PLC0415 - see above

    nowhere = "http://nowhere.invalid/"
    settings = ApiSettings.model_validate({"clickhouse_url": nowhere, "database_url": nowhere, "redis_url": nowhere})
    SNAPSHOT.write_text(render(create_app(settings)), encoding="utf-8")


if __name__ == "__main__":
    main()
