"""Which path speaks which protocol."""

from ingestion.protocols import segment, snowplow
from ingestion.wire import Endpoint

_PREFIXES = {"segment": segment.ENDPOINTS, "rudderstack": segment.ENDPOINTS, "snowplow": snowplow.ENDPOINTS}
"""Each protocol's own prefix, for those who want no guessing."""


def endpoints() -> dict[str, Endpoint]:
    """Return every endpoint by its path, with and without a slash at its end."""
    served = segment.ENDPOINTS | snowplow.ENDPOINTS
    for prefix, own in _PREFIXES.items():
        served |= {f"/{prefix}{path}": endpoint for path, endpoint in own.items()}
    return served | {f"{path}/": endpoint for path, endpoint in served.items()}
