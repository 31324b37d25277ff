"""Which path speaks which protocol."""

from collections.abc import Sequence

from ingestion.protocols import mixpanel, segment
from ingestion.wire import Claimant, Endpoint, shared

_PREFIXES = {"segment": segment.ENDPOINTS, "rudderstack": segment.ENDPOINTS, "mixpanel": mixpanel.ENDPOINTS}
"""Each protocol's own prefix, for those who want no guessing."""
_CLAIMANTS: dict[str, Sequence[Claimant]] = {
    path: [(mixpanel.claims, mixpanel.ENDPOINTS[path])] for path in ("/track", "/engage")
}
"""By path that several protocols claim, who is asked first; the last takes what nobody claims."""


def endpoints() -> dict[str, Endpoint]:
    """Return every endpoint by its path, with and without a slash at its end."""
    served = segment.ENDPOINTS | mixpanel.ENDPOINTS
    served |= {path: shared(claimants) for path, claimants in _CLAIMANTS.items()}
    for prefix, own in _PREFIXES.items():
        served |= {f"/{prefix}{path}": endpoint for path, endpoint in own.items()}
    return served | {f"{path}/": endpoint for path, endpoint in served.items()}
