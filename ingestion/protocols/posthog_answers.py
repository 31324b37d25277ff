"""What PostHog's clients ask besides sending events: nothing is switched on here, said in the way they understand.

A client that gets no answer waits, warns or tries again.
"""

import time
from typing import Annotated, Any
from uuid import uuid4

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

_JSON = "application/json"
_STABLE_DECIDE_FROM = 2
_SWITCHED_OFF: dict[str, Any] = {
    "supportedCompression": ["gzip", "gzip-js"],
    "hasFeatureFlags": False,
    "sessionRecording": False,
    "heatmaps": False,
    "capturePerformance": False,
    "captureDeadClicks": False,
    "autocaptureExceptions": False,
    "errorTracking": {"autocaptureExceptions": False, "suppressionRules": []},
    "productTours": False,
    "conversations": False,
    "logs": {"captureConsoleLogs": False},
    "siteApps": [],
    "toolbarParams": {},
    "isAuthenticated": False,
    "defaultIdentifiedOnly": True,
    "elementsChainAsString": True,
    "analytics": {"endpoint": "/i/v0/e/"},
}
"""Everything that a PostHog project can switch on from the server. Autocapture stays as the page configures it.

Nothing is said of surveys: whatever is, even that they are off, has posthog-js load its script for them from here.
"""

router = APIRouter()


def _both(path: str, *methods: str) -> Any:
    """Register a path with and without a slash at its end; redirects would lose bodies."""

    def register(answer: Any) -> Any:
        for variant in (path, f"{path}/"):
            router.add_api_route(variant, answer, methods=list(methods), include_in_schema=False)
        return answer

    return register


@_both("/flags", "GET", "POST")
async def flags() -> Response:
    """Evaluate no feature flags; v=1 to 4 read different members of the same answer."""
    return _json(
        _SWITCHED_OFF
        | {
            "flags": {},
            "featureFlags": {},
            "featureFlagPayloads": {},
            "errorsWhileComputingFlags": False,
            "quotaLimited": [],
            "requestId": str(uuid4()),
            "evaluatedAt": time.time_ns() // 1_000_000,
        }
    )


@_both("/decide", "GET", "POST")
async def decide(v: Annotated[str, Query()] = "1") -> Response:
    """Do as `/flags`; the first version wants a list."""
    is_first = not v.isdecimal() or int(v) < _STABLE_DECIDE_FROM
    return _json(
        _SWITCHED_OFF
        | {
            "config": {"enable_collect_everything": True},
            "featureFlags": [] if is_first else {},
            "featureFlagPayloads": {},
            "flags": {},
            "errorsWhileComputingFlags": False,
        }
    )


@_both("/array/{token}/config", "GET")
async def remote_config() -> Response:
    """Say what is switched on for a project."""
    return _json(_SWITCHED_OFF)


@_both("/array/{token}/config.js", "GET")
async def remote_config_script(token: str) -> Response:
    """Say the same as a script."""
    # `<` can't end a script element that somebody pastes this into.
    key = msgspec.json.encode(token).replace(b"<", rb"\u003c")
    config = msgspec.json.encode({"config": _SWITCHED_OFF, "siteApps": []})
    return Response(
        b"(function(c){c[%b]=%b})(window._POSTHOG_REMOTE_CONFIG=window._POSTHOG_REMOTE_CONFIG||{});" % (key, config),
        media_type="application/javascript",
    )


@_both("/api/surveys", "GET", "POST")
async def surveys() -> Response:
    """Have no surveys."""
    return _json({"surveys": [], "survey_config": None})


@_both("/api/web_experiments", "GET")
async def web_experiments() -> Response:
    """Have no experiments on pages."""
    return _json({"experiments": []})


@_both("/api/early_access_features", "GET")
async def early_access_features() -> Response:
    """Have no features to opt in to."""
    return _json({"earlyAccessFeatures": []})


@_both("/flags/definitions", "GET")
@_both("/api/feature_flag/local_evaluation", "GET")
async def flag_definitions() -> Response:
    """Have no flags for servers to evaluate themselves, which they ask for every 30 s."""
    return _json({"flags": [], "group_type_mapping": {}, "cohorts": {}})


@_both("/s", "POST")
async def recordings(request: Request) -> Response:
    """Swallow session recordings: they are not kept, and must not be sent again."""
    async for _ in request.stream():
        pass
    return _json({"status": "Ok"})


def _json(answer: dict[str, Any]) -> Response:
    return Response(msgspec.json.encode(answer), media_type=_JSON)
