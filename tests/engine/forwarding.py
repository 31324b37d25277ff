"""A way to an engine that can be cut."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from pydantic import SecretStr


def at_port(url: SecretStr, port: int) -> SecretStr:
    """Return an engine's address with another port."""
    address = url.get_secret_value()
    return SecretStr(address.replace(f":{urlsplit(address).port}", f":{port}"))


@asynccontextmanager
async def forwarding(port: int, target: SecretStr) -> AsyncGenerator[asyncio.Event]:
    """Stand between a program and an engine, so that the engine can be away and come back.

    As long as the event is cleared, it hangs: it takes what comes, and says nothing.
    """
    real = urlsplit(target.get_secret_value())
    answers = asyncio.Event()
    answers.set()
    pumps: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                await answers.wait()
                writer.write(data)
                await writer.drain()
        finally:
            writer.transport.abort()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection(real.hostname, real.port)
        pumps.add(asyncio.create_task(pump(reader, upstream_writer)))
        pumps.add(asyncio.create_task(pump(upstream_reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", port)
    yield answers
    server.close()
    for task in pumps:
        task.cancel()
    await asyncio.gather(*pumps, return_exceptions=True)
    await server.wait_closed()
