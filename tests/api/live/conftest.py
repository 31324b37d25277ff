"""The API on a port of its own, so that its streams can be read while others go on."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from uuid import uuid4

import pytest
from fastapi import FastAPI

from api.app import create_app
from api.live import service
from api.resources import Resources
from api.serving import make_server
from api.settings import ApiSettings
from engine.streams import Publisher
from runtime.instance import Instance


class Served:
    """A running API."""

    def __init__(self, app: FastAPI, port: int) -> None:
        self.app = app
        self.url = f"http://127.0.0.1:{port}"
        self.socket_url = f"ws://127.0.0.1:{port}"

    @property
    def held(self) -> Resources:
        """What it holds."""
        return self.app.state.resources

    def metric(self, name: str, **labels: str) -> float:
        """Return what it counts."""
        return self.app.state.resources.metrics.registry.get_sample_value(name, labels) or 0.0


Serve = Callable[[ApiSettings], AbstractAsyncContextManager[Served]]


@pytest.fixture
def settings(runtime: Instance) -> ApiSettings:
    """Point the API at the session's engines; it believes keys for no time, and looks at them often."""
    return ApiSettings.model_validate(
        {
            "clickhouse_url": runtime.clickhouse_reader_url,
            "database_url": runtime.database_url,
            "redis_url": runtime.redis_url,
            "key_cache_seconds": 0,
            "live_key_check_seconds": 0.2,
        }
    )


@pytest.fixture
def serve() -> Serve:
    """Return a way to run the API with settings of one's own."""

    @asynccontextmanager
    async def serving(settings: ApiSettings) -> AsyncGenerator[Served]:
        app = create_app(settings)

        def end_streams() -> None:
            app.state.resources.live.end_all()

        server = make_server(app, "127.0.0.1", 0, before_stop=end_streams)
        running = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
            assert not running.done()
        yield Served(app, server.servers[0].sockets[0].getsockname()[1])
        server.should_exit = True
        await running

    return serving


@pytest.fixture
async def api(serve: Serve, settings: ApiSettings) -> AsyncGenerator[Served]:
    """Return the running API."""
    async with serve(settings) as served:
        yield served


@pytest.fixture
async def publisher(runtime: Instance) -> AsyncGenerator[Publisher]:
    """Return what publishes events."""
    publisher = Publisher(runtime.redis_url)
    yield publisher
    await publisher.redis.aclose()


@pytest.fixture(autouse=True)
def _own_channel(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction] - pytest uses it
    """Hear no collectors of other tests: all of them speak on the channel that collectors share."""
    monkeypatch.setattr(service, "COLLECTORS", f"{service.COLLECTORS}:{uuid4()}")
