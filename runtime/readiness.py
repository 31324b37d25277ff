"""Asking a process whether it can serve: each question is short, and a refusal is an answer."""

import asyncio
import contextlib
from typing import Any

import msgspec

from runtime.ports import LOOPBACK

_PATIENCE_S = 5.0
_OK = 200


async def answers_http(port: int, path: str) -> bool:
    """Say whether `GET path` on this loopback port is answered with status 200."""
    status, _ = await _request(port, "GET", path)
    return status == _OK


async def accepts_connections(port: int) -> bool:
    """Say whether something listens on this loopback port."""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(_PATIENCE_S):
            _, writer = await asyncio.open_connection(LOOPBACK, port)
            writer.close()
            return True
    return False


async def ask_graphql(port: int, query: str, variables: dict[str, Any] | None = None) -> dict[str, Any] | None:
    """Return the `data` of a GraphQL answer, or None when there is no answer or one with errors."""
    body = msgspec.json.encode({"query": query, "variables": variables or {}})
    status, content = await _request(port, "POST", "/graphql", body)
    if status != _OK:
        return None
    try:
        return msgspec.json.decode(content, type=dict[str, Any]).get("data")
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None


async def _request(port: int, method: str, path: str, body: bytes = b"") -> tuple[int | None, bytes]:
    # HTTP/1.0, so that the answer ends with the connection; a client library would cost the supervisor 20 MB.
    head = f"{method} {path} HTTP/1.0\r\nHost: {LOOPBACK}:{port}\r\nContent-Type: application/json\r\n"
    with contextlib.suppress(OSError, TimeoutError, ValueError, IndexError):
        async with asyncio.timeout(_PATIENCE_S):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            try:
                writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
                answer = await reader.read(-1)
            finally:
                writer.close()
            answer_head, _, content = answer.partition(b"\r\n\r\n")
            return int(answer_head.split()[1]), content
    return None, b""
