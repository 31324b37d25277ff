"""Which path speaks which protocol."""

from collections.abc import Sequence

from ingestion.importing import exports
from ingestion.prefixes import EVERY_PROTOCOL, Prefixes
from ingestion.protocols import amplitude, canary, mixpanel, posthog, segment, snowplow
from ingestion.wire import Claimant, Endpoint, shared

_BY_PROTOCOL = {
    "segment": segment.ENDPOINTS,
    "rudderstack": segment.ENDPOINTS,
    "posthog": posthog.ENDPOINTS | posthog.SHARED,
    "snowplow": snowplow.ENDPOINTS,
    "amplitude": amplitude.ENDPOINTS | amplitude.SHARED,
    "mixpanel": mixpanel.ENDPOINTS | mixpanel.SHARED,
}
"""What is served under each protocol's own prefixes, for those who want no guessing."""
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
    names = path.strip("/").split("/")
    # Any prefix, since it may have been renamed again; what is left is the longest path that the protocol has.
    for start in range(len(names)):
        own = "/" + "/".join(names[start:])
        for served in (*_BY_PROTOCOL.values(), canary.ENDPOINTS, exports.ENDPOINTS):
            if own in served and served[own].protocol == protocol:
                return served[own]
    return None


def endpoints(prefixes: Prefixes | None = None) -> dict[str, Endpoint]:
    """Return every endpoint by its path, with and without a slash at its end.

    Raises ValueError where two protocols would be served under one path.
    """
    unprefixed = segment.ENDPOINTS | snowplow.ENDPOINTS | posthog.ENDPOINTS | amplitude.ENDPOINTS | mixpanel.ENDPOINTS
    unprefixed |= {path: shared(claimants) for path, claimants in _CLAIMANTS.items()}
    # Nobody's SDK sends canaries: no prefix is theirs.
    served: dict[str, Endpoint] = dict(canary.ENDPOINTS)
    for protocol, own in {EVERY_PROTOCOL: unprefixed, **_BY_PROTOCOL}.items():
        for prefix in (prefixes or Prefixes()).of(protocol):
            for path, endpoint in own.items():
                if served.setdefault(prefix + path, endpoint) is not endpoint:
                    raise ValueError(f"two protocols would be served at {prefix}{path}: choose another prefix")
    return served | {f"{path}/": endpoint for path, endpoint in served.items()}
