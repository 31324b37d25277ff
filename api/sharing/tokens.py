"""The two texts that open what is shared: the link's token, and that of a view, which a password may be needed for."""

import hmac
import re
from datetime import datetime

from api.accounts.secrets import Secrets
from core.clock import utc_now
from core.metadata.saved import SharedLink

_LINK = re.compile(r"sl_(\d{1,9})_([0-9a-f]{64})")
_VIEW = re.compile(r"sv_(\d{1,9})_(\d{1,12})_([0-9a-f]{64})")


class LinkTokens:
    """Tokens are signed and kept nowhere: the same link gives the same token, as long as the secret is the same."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets

    def of_link(self, link: SharedLink) -> str:
        """Return the token that stands in a link."""
        return f"sl_{link.id}_{self._signature(link, 'link')}"

    def of_view(self, link: SharedLink, expires_at: datetime) -> str:
        """Return the token of somebody who opened a link; it is good until then."""
        return self._view_until(link, int(expires_at.timestamp()))

    def opens(self, token: str, link: SharedLink) -> bool:
        """Say whether a token is that of a link."""
        return hmac.compare_digest(token.encode(), self.of_link(link).encode())

    def viewed(self, token: str, link: SharedLink) -> bool:
        """Say whether a token was given to somebody who opened a link, be it still good or not."""
        read = _VIEW.fullmatch(token)
        return read is not None and hmac.compare_digest(token.encode(), self._view_until(link, int(read[2])).encode())

    def views(self, token: str, link: SharedLink) -> bool:
        """Say whether a token was given to somebody who opened a link, and is still good."""
        return self.viewed(token, link) and int(token.split("_")[2]) > utc_now().timestamp()

    def _view_until(self, link: SharedLink, until: int) -> str:
        return f"sv_{link.id}_{until}_{self._signature(link, f'view {until}')}"

    def _signature(self, link: SharedLink, purpose: str) -> str:
        return self._secrets.signature("shared links", f"{purpose} {link.id} {link.salt.hex()}")


def link_named(token: str) -> int | None:
    """Return the number of the link that a token of either kind claims to be of; None for anything else."""
    read = _LINK.fullmatch(token) or _VIEW.fullmatch(token)
    return None if read is None else int(read[1])
