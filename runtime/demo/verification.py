"""Counts the demo's events where they should be: sent = stored = modelled."""

import time
from collections.abc import Callable

from core import warehouse
from core.warehouse.scope import ProjectScope
from runtime.demo.dataset import MESSAGE_ID_PREFIX
from runtime.errors import OperationError

_POLL_S = 0.25
# Without progress for this long, waiting is in vain.
_PATIENCE_S = 60.0
# Only what the demo sent: the trickle writes to the same project.
_STORED = """
select uniqExact(message_id) as events
from raw.events
where project_id = {project_id:UInt32} and startsWith(message_id, {prefix:String})
"""
_MODELLED = """
select count() as events
from marts.fct_events
where project_id = {project_id:UInt32} and startsWith(message_id, {prefix:String})
"""


class DemoCounts:
    """Counts one project's demo events in ClickHouse."""

    def __init__(self, clickhouse_url: str, project_id: int) -> None:
        self._client = warehouse.connect(clickhouse_url)
        self._scope = ProjectScope(project_id)

    def stored(self) -> int:
        """Return how many different events have landed."""
        return self._count(_STORED)

    def modelled(self) -> int:
        """Return how many rows the events' mart has for them."""
        return self._count(_MODELLED)

    def wait_until_stored(self, expected: int, *, progress: Callable[[int], None]) -> None:
        """Return when `expected` events have landed; raise OperationError after a minute without progress."""
        best, since = -1, time.monotonic()
        while True:
            stored = self.stored()
            progress(stored)
            if stored >= expected:
                return
            if stored > best:
                best, since = stored, time.monotonic()
            elif time.monotonic() - since > _PATIENCE_S:
                raise OperationError(
                    f"{stored:,} of {expected:,} events have reached ClickHouse, and no more for {_PATIENCE_S:.0f} s. "
                    "See `radixinsight logs shipper`, and raw.rejects for events that were refused."
                )
            time.sleep(_POLL_S)

    def _count(self, sql: str) -> int:
        return int(self._scope.run(self._client, sql, {"prefix": MESSAGE_ID_PREFIX}).result_rows[0][0])
