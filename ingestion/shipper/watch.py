"""Looks into ClickHouse, past what the shipper believes: whether events arrive, and the last reconciliation agreed."""

import time
from collections.abc import Iterator
from threading import Event
from typing import Any

import structlog
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from urllib3.exceptions import HTTPError

from core import warehouse

# The latest minutes only, which is a fraction of a second at any rate: during a backlog the age shown is that of the
# last canary before it, until the backlog has come this far.
_WINDOW_S = 15 * 60
_DAY_S = 24 * 3600
_LANDED = """
select project_id, toUnixTimestamp64Milli(max(received_at)) / 1000 as newest
from raw.events
where received_at >= fromUnixTimestamp64Milli({since_ms:Int64}, 'UTC') and protocol = 'canary'
group by project_id
"""
_MODELLED = """
select project_id, toUnixTimestamp64Milli(received_at) / 1000 as newest
from staging.stg_collector__canaries
"""
# final: a day that was compared again has two rows until its parts are merged; a handful of rows.
_RECONCILED = """
select
    sum(lost) as lost,
    sum(doubled + unledgered) as surplus,
    sum(unmodelled + unfounded) as unmodelled,
    toUnixTimestamp64Milli(max(reconciled_at)) / 1000 as reconciled_at
from governance.reconciliation final
where day >= toDate(now('UTC')) - 7
"""
_logger = structlog.get_logger()


class WarehouseWatch(Collector):
    """Looks every so often, in a thread of its own, and tells Prometheus what it saw last.

    Projects are the only label: there are as many as the operator has made.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: Client | None = None
        self._landed: dict[int, float] = {}
        self._modelled: dict[int, float] = {}
        self._reconciled: dict[str, float] = {}

    def run(self, stop: Event, *, interval_s: float) -> None:
        """Look until `stop` is set."""
        while not stop.is_set():
            self.look()
            stop.wait(interval_s)

    def look(self) -> None:
        """Look once. What cannot be seen keeps its last state, so that its age grows."""
        now = time.time()
        window_s = _WINDOW_S if self._landed else _DAY_S
        landed = self._rows(_LANDED, {"since_ms": round((now - window_s) * 1000)})
        if landed is not None:
            # A project that has had none for a day has no write key any more.
            known = {project: newest for project, newest in self._landed.items() if newest > now - _DAY_S}
            self._landed = known | {row["project_id"]: row["newest"] for row in landed}
        modelled = self._rows(_MODELLED, {})
        if modelled is not None:
            known = {project: newest for project, newest in self._modelled.items() if project in self._landed}
            self._modelled = known | {row["project_id"]: row["newest"] for row in modelled}
        reconciled = self._rows(_RECONCILED, {})
        if reconciled is not None:
            self._reconciled = reconciled[0] if reconciled[0]["reconciled_at"] else {}

    def collect(self) -> Iterator[Metric]:
        """Return the metrics as of now."""
        now = time.time()
        for name, description, newest in (
            ("radixinsight_canary_age_seconds", "Age of the newest canary in raw.events.", self._landed),
            (
                "radixinsight_canary_modelled_age_seconds",
                "Age of the newest canary that the models saw.",
                self._modelled,
            ),
        ):
            family = GaugeMetricFamily(name, description, labels=["project"])
            for project_id, at in sorted(newest.items()):
                family.add_metric([str(project_id)], max(0.0, now - at))
            yield family
        if self._reconciled:
            seen = self._reconciled
            prefix = "radixinsight_reconciliation_"
            yield _gauge(
                f"{prefix}lost_events", "Events of the last 7 days that were acknowledged and are gone.", seen["lost"]
            )
            yield _gauge(
                f"{prefix}surplus_events", "Rows of the last 7 days that nobody acknowledged.", seen["surplus"]
            )
            yield _gauge(
                f"{prefix}unmodelled_events",
                "Events of the last 7 days that landed and are not modelled, or the other way round.",
                seen["unmodelled"],
            )
            yield _gauge(f"{prefix}age_seconds", "Age of the last reconciliation.", now - seen["reconciled_at"])

    def _rows(self, sql: str, parameters: dict[str, Any]) -> list[dict[str, Any]] | None:
        try:
            if self._client is None:
                self._client = warehouse.connect(self._url, connect_timeout_s=5, read_timeout_s=60)
            return list(self._client.query(sql, parameters=parameters).named_results())
        except (ClickHouseError, HTTPError, OSError) as error:
            # Before the first run of the models there is no table of theirs.
            _logger.debug(
                "warehouse_not_seen", error=str(error).splitlines()[0] if str(error) else type(error).__name__
            )
            return None


def _gauge(name: str, description: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, description, value=value)
