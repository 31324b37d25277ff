"""Renders every error of a FastAPI application as problem+json (RFC 9457), in one place."""

from collections.abc import Mapping
from itertools import islice
from typing import Any, ClassVar, cast

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from core.errors import RadixError
from core.validation import by_part, place_in, pointer, sentence

_logger = structlog.get_logger()
# Of a list in which nothing fits.
_MOST_ERRORS = 50
# Headers and cookies are not repeated.
_SHOWN = frozenset({"query", "path"})


class InvalidRequestError(RadixError):
    """The request does not fit the documented shape; `errors` lists where and why."""

    status: ClassVar[int] = 422
    code: ClassVar[str] = "invalid_request"
    title: ClassVar[str] = "The request does not fit the documented shape"


class _HttpError(RadixError):
    """A status that the framework itself raised: unknown path, wrong method."""

    code: ClassVar[str] = "http_error"
    title: ClassVar[str] = "The request could not be served"


def install(app: FastAPI) -> None:
    """Make `app` answer with problem+json for domain, validation, framework and unexpected errors."""
    app.add_exception_handler(RadixError, _domain)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(WebSocketRequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _framework)
    app.add_exception_handler(Exception, _unexpected)


def respond(request: Request, error: RadixError, *, status: int | None = None) -> JSONResponse:
    """Return `error` as the answer to `request`, with its own status unless another is given.

    The request's id is added where the application gives ids (`request.state.request_id`).
    """
    body: dict[str, Any] = error.problem(instance=request.url.path)
    if request_id := getattr(request.state, "request_id", None):
        body["request_id"] = request_id
    if status is not None:
        body["status"] = status
    return JSONResponse(body, status_code=body["status"], headers=error.headers, media_type="application/problem+json")


async def _domain(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RadixError)  # noqa: S101 - Starlette dispatches by class; this narrows the type
    if error.status == RadixError.status:
        _logger.error("request_failed", path=request.url.path, code=error.code, detail=error.detail)
    return respond(request, error)


async def _validation(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError | WebSocketRequestValidationError)  # noqa: S101 - see _domain
    errors = [_described(each, getattr(error, "body", None)) for each in islice(by_part(error.errors()), _MOST_ERRORS)]
    detail = "; ".join(f"{_where(each)}: {each['message']}" for each in errors)
    return respond(request, InvalidRequestError(detail, errors=errors))


def _described(error: Mapping[str, Any], body: Any) -> dict[str, Any]:
    """Return what is wrong with a parameter, by its name, or at a place of the body, by its JSON Pointer."""
    origin, *location = error["loc"]
    kind = str(error["type"])
    if origin != "body":
        shown = error if origin in _SHOWN else {name: value for name, value in error.items() if name != "input"}
        message = sentence(shown, within="parameter")
        return {"location": [origin, *map(str, location)], "message": message, "kind": kind}
    if kind == "json_invalid":
        message = f"it is no JSON: {error['ctx']['error']} at character {location[0] + 1}"
        return {"pointer": "", "message": message, "kind": kind}
    document: Any = dict(cast("Mapping[str, Any]", body)) if isinstance(body, Mapping) else body
    place = place_in(document, location, is_missing=kind == "missing")
    return {"pointer": pointer(place), "message": sentence(error), "kind": kind}


def _where(error: Mapping[str, Any]) -> str:
    return ".".join(error["location"]) if "location" in error else error["pointer"] or "the body"


async def _framework(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - see _domain
    if isinstance(error.__cause__, UnicodeError | RecursionError):
        return respond(request, InvalidRequestError("The body is no JSON: it is not UTF-8, or nested too deep."))
    headers = dict(error.headers) if error.headers else None
    return respond(request, _HttpError(str(error.detail), headers=headers), status=error.status_code)


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    _logger.error("request_failed", path=request.url.path, exc_info=error)
    return respond(request, RadixError("Something unexpected went wrong; the log has the details."))
