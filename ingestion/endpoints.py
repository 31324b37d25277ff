"""Which path speaks which protocol."""

from collections.abc import Sequence

from ingestion.importing import exports
from ingestion.protocols import amplitude, mixpanel, posthog, segment, snowplow
from ingestion.wire import Claimant, Endpoint, shared

_PREFIXES = {
    "segment": segment.ENDPOINTS,
    "rudderstack": segment.ENDPOINTS,
    "posthog": posthog.ENDPOINTS | posthog.SHARED,
    "snowplow": snowplow.ENDPOINTS,
    "amplitude": amplitude.ENDPOINTS | amplitude.SHARED,
    "mixpanel": mixpanel.ENDPOINTS | mixpanel.SHARED,
}
"""Each protocol's own prefix, for those who want no guessing."""
_CLAIMANTS: dict[str, Sequence[Claimant]] = {
    # Amplitude's clients need an answer of their own also where the body was not read: it comes last.
    "/batch": [(posthog.claims, posthog.SHARED["/batch"]), (amplitude.claims, amplitude.SHARED["/batch"])],
    # Mixpanel's own clients are known by their looks, which is cheap; what nobody knows is its too.
    **{
        path: [(mixpanel.claims, endpoint), (posthog.claims, posthog.SHARED[path]), (mixpanel.claims, endpoint)]
        for path, endpoint in mixpanel.SHARED.items()
    },
}
"""By path that several protocols claim, who is asked first; the last takes what nobody claims."""


def endpoint_of(protocol: str, path: str) -> Endpoint | None:
    """Return the endpoint of a protocol under a path, with or without a prefix; None when there is none any more.

    What was imported has endpoints too, which are served nowhere.
    """
    prefix, _, rest = path.rstrip("/").lstrip("/").partition("/")
    own = f"/{rest}" if prefix in _PREFIXES else path.rstrip("/")
    return next(
        (
            served[own]
            for served in (*_PREFIXES.values(), exports.ENDPOINTS)
            if own in served and served[own].protocol == protocol
        ),
        None,
    )


def endpoints() -> dict[str, Endpoint]:
    """Return every endpoint by its path, with and without a slash at its end."""
    served = segment.ENDPOINTS | snowplow.ENDPOINTS | posthog.ENDPOINTS | amplitude.ENDPOINTS | mixpanel.ENDPOINTS
    served |= {path: shared(claimants) for path, claimants in _CLAIMANTS.items()}
    for prefix, own in _PREFIXES.items():
        served |= {f"/{prefix}{path}": endpoint for path, endpoint in own.items()}
    return served | {f"{path}/": endpoint for path, endpoint in served.items()}
