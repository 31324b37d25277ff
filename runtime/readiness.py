"""Asking a process whether it can serve: each question is short, and a refusal is an answer."""

import asyncio
import contextlib

from runtime.ports import LOOPBACK

_PATIENCE_S = 5.0


async def answers_http(port: int, path: str) -> bool:
    """Say whether `GET path` on this loopback port is answered with status 200."""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(_PATIENCE_S):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            try:
                writer.write(f"GET {path} HTTP/1.1\r\nHost: {LOOPBACK}:{port}\r\nConnection: close\r\n\r\n".encode())
                status = (await reader.readline()).split()
                return len(status) > 1 and status[1] == b"200"
            finally:
                writer.close()
    return False


async def accepts_connections(port: int) -> bool:
    """Say whether something listens on this loopback port."""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(_PATIENCE_S):
            _, writer = await asyncio.open_connection(LOOPBACK, port)
            writer.close()
            return True
    return False
