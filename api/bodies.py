"""Bounds the bodies of requests before anything of them is parsed."""

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import BodyTooLargeError
from core.problem import respond

_WITHOUT = frozenset({"GET", "HEAD", "OPTIONS"})


class BodyLimitMiddleware:
    """Reads a body and hands it on whole; one of more bytes is refused as soon as that shows.

    Bytes are counted while they come: the header Content-Length may be missing. A body is held in memory by whoever
    reads it as JSON in any case.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or scope["method"] in _WITHOUT:
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        said = request.headers.get("content-length", "")
        too_large = said.isdecimal() and int(said) > self._most
        body = bytearray()
        message: Message = {"type": "http.request", "more_body": not too_large}
        while message["type"] == "http.request" and message.get("more_body", False):
            message = await receive()
            body += message.get("body", b"")
            if len(body) > self._most:
                too_large = True
                break
        if too_large:
            await respond(request, BodyTooLargeError(self._most))(scope, receive, send)
            return
        if message["type"] == "http.request":
            # Otherwise the client left, which the application is told as it was.
            message = {"type": "http.request", "body": bytes(body), "more_body": False}
        waiting = [message]

        async def read() -> Message:
            return waiting.pop() if waiting else await receive()

        await self._app(scope, read, send)
