"""What is wrong with the system: events that do not reach ClickHouse, refreshes that fail."""

import time
from datetime import UTC, datetime
from typing import Any

import aiohttp
import msgspec
import structlog
from msgspec import Struct

from api.settings import ApiSettings
from core.live import BEAT_EVERY_S, Beat, unpack_beat

_logger = structlog.get_logger()
_SILENT_AFTER_S = 5 * BEAT_EVERY_S
# Dagster's webserver shares the processor with everything else, and a refresh ends every few minutes.
_ASK_EVERY_S = 30.0
_ASK_TIMEOUT_S = 5.0
_ENDED_REFRESHES = """
query { runsOrError(filter: { pipelineName: "refresh", statuses: [SUCCESS, FAILURE] }, limit: 100) {
  ... on Runs { results { status endTime } } } }
"""


class Alert(Struct, frozen=True):
    """One thing that is wrong; `code` is stable."""

    code: str
    detail: str


class _Run(Struct, rename="camel"):
    status: str
    end_time: float | None = None


class _Runs(Struct):
    results: list[_Run] = []


class _Data(Struct, rename="camel"):
    runs_or_error: _Runs


class _Answer(Struct):
    data: _Data


_decode_answer = msgspec.json.Decoder(_Answer).decode


class LiveAlerts:
    """Knows from the collectors how old their oldest events are, and asks Dagster how its refreshes end."""

    def __init__(self, settings: ApiSettings) -> None:
        self._settings = settings
        self._beats: dict[str, tuple[float, Beat]] = {}
        self._listening_since: float | None = None
        self._runs: Alert | None = None
        self._asked_at = float("-inf")

    def listen(self, *, is_reached: bool) -> None:
        """Learn whether collectors can be heard from now on."""
        self._listening_since = time.monotonic() if is_reached else None
        self._beats.clear()

    def hear(self, publication: bytes) -> None:
        """Take what a collector says of itself."""
        try:
            beat = unpack_beat(publication)
        except msgspec.MsgspecError as error:
            _logger.warning("live_beat_not_understood", error=str(error))
            return
        self._beats[beat.collector] = (time.monotonic(), beat)

    async def look(self) -> list[Alert]:
        """Return what is wrong now."""
        if self._settings.dagster_url is not None and time.monotonic() - self._asked_at >= _ASK_EVERY_S:
            self._runs = await self._ask_for_runs(self._settings.dagster_url)
            self._asked_at = time.monotonic()
        return [alert for alert in (self._ingestion(), self._runs) if alert is not None]

    def _ingestion(self) -> Alert | None:
        now = time.monotonic()
        self._beats = {name: said for name, said in self._beats.items() if now - said[0] <= _SILENT_AFTER_S}
        if not self._beats:
            since = self._listening_since
            if since is None or now - since <= _SILENT_AFTER_S:
                return None
            return Alert("collectors_silent", "No collector says that it is there: no events are shown live.")
        oldest_s = max(beat.oldest_unshipped_s for _, beat in self._beats.values())
        if oldest_s < self._settings.live_lag_seconds:
            return None
        return Alert(
            "ingestion_lag",
            f"Events have waited for ClickHouse for more than {oldest_s // 10 * 10:.0f} s; the collectors keep them.",
        )

    async def _ask_for_runs(self, url: str) -> Alert | None:
        try:
            timeout = aiohttp.ClientTimeout(total=_ASK_TIMEOUT_S)
            question: dict[str, Any] = {"query": _ENDED_REFRESHES}
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(f"{url.rstrip('/')}/graphql", json=question) as answer,
            ):
                runs = _decode_answer(await answer.read()).data.runs_or_error.results
        except (aiohttp.ClientError, TimeoutError, OSError, msgspec.MsgspecError) as error:
            _logger.info("dagster_not_asked", error=type(error).__name__)
            return Alert("pipeline_unreachable", "Dagster does not answer: whether refreshes succeed is not known.")
        statuses = [run.status for run in runs]
        failed = statuses.index("SUCCESS") if "SUCCESS" in statuses else len(statuses)
        if not failed:
            return None
        ended = runs[0].end_time
        last = f", the last one at {datetime.fromtimestamp(ended, UTC):%Y-%m-%d %H:%M:%S} UTC" if ended else ""
        return Alert(
            "runs_failing", f"{failed} refreshes in a row failed{last}; figures may be as old as the one before."
        )
