"""The Python client that is generated from the OpenAPI document, asking the API."""

import importlib
import json
import pkgutil
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from api.openapi import SNAPSHOT

CONFIGURATION = SNAPSHOT.with_name("python_client.yml")
METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Generator[ModuleType]:
    """Generate the package as `make python-client` does, and import it."""
    folder = tmp_path_factory.mktemp("client") / "radixinsight-client"
    generator = Path(sys.executable).with_name("openapi-python-client")
    options = ("--path", SNAPSHOT, "--config", CONFIGURATION, "--output-path", folder, "--fail-on-warning")
    # It puts its sources in order with ruff, which lies beside it.
    path = {"PATH": f"{generator.parent}:/usr/bin:/bin"}
    told = subprocess.run([generator, "generate", *options], env=path, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    sys.path.insert(0, str(folder))
    yield importlib.import_module("radixinsight_client")
    sys.path.remove(str(folder))
    for name in [name for name in sys.modules if name.split(".")[0] == "radixinsight_client"]:
        del sys.modules[name]


def client_of(package: ModuleType, api: httpx.AsyncClient, project: Any) -> Any:
    api.headers.update(project.headers)
    client = package.AuthenticatedClient(base_url="http://api", token=project.api_key)
    return client.set_async_httpx_client(api)


def operation(package: ModuleType, name: str) -> Any:
    return importlib.import_module(f"{package.__name__}.api.{name}").asyncio


def test_every_operation_has_its_function(package: ModuleType) -> None:
    paths = json.loads(SNAPSHOT.read_bytes())["paths"].values()
    operations = sum(method in METHODS for path in paths for method in path)
    modules = [
        importlib.import_module(each.name) for each in pkgutil.walk_packages(package.__path__, "radixinsight_client.")
    ]
    assert sum(hasattr(module, "asyncio_detailed") for module in modules) == operations


async def test_a_question_is_a_typed_document_and_so_is_its_answer(
    package: ModuleType, api: httpx.AsyncClient, modelled: Any
) -> None:
    client = client_of(package, api, modelled.berlin)
    models = importlib.import_module("radixinsight_client.models")
    told = {
        "kind": "funnel",
        "steps": ["catalog", "purchase"],
        "window": "2d",
        "from": "2025-03-03",
        "to": "2025-04-07",
    }
    asked = models.FunnelDocument.from_dict(told)
    answer = await operation(package, "queries.query")(modelled.berlin.id, client=client, body=asked)
    assert isinstance(answer, models.FunnelAnswer)
    plain = await api.post(f"/v1/projects/{modelled.berlin.id}/query", json=told)
    assert [step.persons for step in answer.data.lines[0].steps] == [
        step["persons"] for step in plain.json()["data"]["lines"][0]["steps"]
    ]


async def test_an_error_is_a_problem_with_its_code(package: ModuleType, api: httpx.AsyncClient, modelled: Any) -> None:
    client = client_of(package, api, modelled.berlin)
    models = importlib.import_module("radixinsight_client.models")
    asked = models.StickinessDocument.from_dict({"kind": "stickiness", "last": 3})
    answer = await operation(package, "queries.query")(modelled.kathmandu.id, client=client, body=asked)
    assert isinstance(answer, models.Problem)
    assert answer.code == "project_not_found"
