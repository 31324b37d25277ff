"""What a running collector holds."""

from dataclasses import dataclass, field

from core.enrichment.geography import Geography
from core.errors import RadixError
from ingestion.importing.receiving import Receiving
from ingestion.limits import Limits
from ingestion.live import LivePublisher
from ingestion.metrics import CollectorMetrics
from ingestion.rates.senders import SenderRates
from ingestion.reading import Reading
from ingestion.recent_ids import RecentIds
from ingestion.refusals import RefusalLog
from ingestion.settings import CollectorSettings
from ingestion.spool.bounds import SpoolBounds
from ingestion.spool.writer import SpoolWriter
from ingestion.write_keys import KeyOwner, WriteKeys


@dataclass(frozen=True, slots=True)
class CollectorState:
    """The parts that requests share, for as long as the application lives."""

    settings: CollectorSettings
    limits: Limits
    metrics: CollectorMetrics
    write_keys: WriteKeys
    writer: SpoolWriter
    bounds: SpoolBounds
    reading: Reading
    rates: SenderRates
    receiving: Receiving
    geography: Geography
    live: LivePublisher | None
    """Where acknowledged events are published; None where they are not."""
    recent_ids: RecentIds = field(default_factory=RecentIds)
    refusals: RefusalLog = field(default_factory=RefusalLog)

    async def owner_of(self, key: str | None, origin: str | None, *, is_rated: bool = True) -> KeyOwner:
        """Return whose key it is, if a request from a page of this origin may use it now; a server names none."""
        owner = await self.write_keys.find(key)
        owner.demand_origin(origin)
        if is_rated:
            self.rates.demand_key(owner)
        return owner

    def checks(self) -> dict[str, str]:
        """Return for each thing that events need `ok` or what is wrong with it."""
        return {
            "write_keys": "ok" if self.write_keys.is_loaded else "the metadata database has not answered yet",
            "spool": self._spool(),
        }

    def _spool(self) -> str:
        try:
            self.bounds.check(self.writer.pending_bytes)
        except RadixError as error:
            return error.detail
        if not self.writer.is_running:
            return "nobody writes to it any more"
        return self.bounds.fault or "ok"
