"""Refuses the parameters that an operation does not know: a misspelt one must not silently change the answer."""

from collections.abc import Iterator

from fastapi import Depends
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_parameterless_sub_dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute, APIWebSocketRoute
from pydantic import BaseModel
from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute

# An identity provider sends the first three what it likes beside what it has to, and so may a balancer the others.
OPEN = frozenset(
    {
        "end_openid_sign_in",
        "answer_saml_sign_in",
        "start_provider_sign_in",
        "get_health",
        "get_readiness",
        "get_metrics",
    }
)


def close(route: BaseRoute) -> BaseRoute:
    """Return a route after making it refuse what it does not know, once it is clear that whoever asks may."""
    assert isinstance(route, APIRoute | APIWebSocketRoute)  # noqa: S101 - what the decorators of a router make
    if route.name in OPEN:
        return route
    known = frozenset(_names(route.dependant))

    async def refuse_unknown(request: HTTPConnection) -> None:
        unknown = [name for name in request.query_params if name not in known]
        if unknown:
            raise RequestValidationError([{"type": "extra_forbidden", "loc": ("query", name)} for name in unknown])

    # The last one: who may ask at all is found out by those before it.
    route.dependant.dependencies.append(
        get_parameterless_sub_dependant(depends=Depends(refuse_unknown), path=route.path_format)
    )
    return route


def _names(dependant: Dependant) -> Iterator[str]:
    """Yield the names of the parameters that a route and its dependencies take from the query string."""
    for field in dependant.query_params:
        model = field.field_info.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            yield from (each.alias or name for name, each in model.model_fields.items())
        else:
            yield field.alias
    for each in dependant.dependencies:
        yield from _names(each)
