"""`python -m ingestion.replay PROJECT_ID`: judges a project's rejected events anew, by the rules of today.

What is accepted now goes the way of every event: spool, shipper, `raw.events`, with the time at which it was received
first. `raw.replays` remembers it, so that it is not offered again; an event that came without an id of its own gets one
that follows from the reject, so that it counts once even when a replay is cut off and repeated. What is still refused
stays as it is. What the request said beside its events is gone by then (`sentAt`, context, options, place among the
others): only the event's bytes were kept.
"""

import argparse
import asyncio
import json
import sys
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

import structlog
from clickhouse_connect.driver.client import Client
from msgspec.json import Encoder

from core import warehouse
from core.enrichment.geography import Geography
from core.events import EventType, LandedEvent, RejectReason
from core.logging import configure
from core.settings import WarehouseSettings
from core.warehouse import ProjectScope
from ingestion.endpoints import endpoint_of
from ingestion.errors import MalformedRequestError
from ingestion.event_schemas import ProjectSchemas
from ingestion.intake import demand_size
from ingestion.limits import Limits
from ingestion.rejection import RejectedEventError
from ingestion.settings import CollectorSettings
from ingestion.spool.records import Kind
from ingestion.spool.writer import SpoolWriter
from ingestion.validation import Received, Validator
from ingestion.wire import Wire
from ingestion.write_keys import ProjectRules, load_rules

_NO_PAYLOAD = "no_payload"  # no reason of the collector's, but why nobody can judge it anew
_logger = structlog.get_logger()
_PAGE = 10_000
# Equal bytes of one request are one reject here: nothing tells them apart.
_FIND = """
select
    sipHash64(project_id, batch_id, received_at, reason, message_id, payload) as reject_id,
    received_at,
    write_key_id,
    protocol,
    path,
    ip,
    message_id,
    hex(payload) as payload_hex
from raw.rejects
where
    project_id = {project_id:UInt32}
    and received_at >= {since:DateTime64(3, 'UTC')}
    and ({reason:String} = '' or reason = {reason:String})
    and path != ''
    -- Alone, such an event would be judged by its own key: it is not this project's to take.
    and reason != {other_key:String}
    -- Of a bot nothing but the request's head may tell, which was not kept.
    and reason != {bot:String}
    and reject_id > {after:UInt64}
    and reject_id not in (select reject_id from raw.replays where project_id = {project_id:UInt32})
order by reject_id
limit 1 by reject_id
limit {page:UInt32}
"""


class ReplaySettings(CollectorSettings, WarehouseSettings):
    """The collector's settings, whose rules hold, and where the rejects are read."""

    model_config = CollectorSettings.model_config


@dataclass(frozen=True, slots=True)
class _Reject:
    reject_id: int
    received_at: datetime
    write_key_id: int
    protocol: str
    path: str
    ip: str
    message_id: str
    payload: bytes


@dataclass(slots=True)
class Judgement:
    """How many rejects are accepted now, and how many are still refused, by reason."""

    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter[str])


@dataclass(frozen=True, slots=True)
class Wanted:
    """By what the rejects are judged: the rules, schemas and limits of today."""

    rules: ProjectRules
    schemas: ProjectSchemas | None
    limits: Limits
    geography: Geography


class Replay:
    """Judges the rejects of one project."""

    def __init__(self, client: Client, project_id: int, wanted: Wanted) -> None:
        self._client = client
        self._wanted = wanted
        self._scope = ProjectScope(project_id)
        self._encode_lines = Encoder().encode_lines

    async def run(self, writer: SpoolWriter | None, *, reason: str, since: datetime) -> Judgement:
        """Judge what was received since `since`, with this reason or any (''); without a writer nothing is kept."""
        judgement = Judgement()
        after = 0
        while rejects := self._find(reason, since, after):
            after = rejects[-1].reject_id
            accepted: list[tuple[_Reject, LandedEvent]] = []
            for reject in rejects:
                if not reject.payload:
                    judgement.refused[_NO_PAYLOAD] += 1
                    continue
                try:
                    batch_id = "" if writer is None else writer.batch_id
                    accepted.append((reject, self._judge(reject, batch_id)))
                except RejectedEventError as error:
                    judgement.refused[error.reason] += 1
                except Exception:  # one reject's fault must not keep the others from being judged
                    _logger.exception("reject_not_judged", reject_id=reject.reject_id)
                    judgement.refused["not_judged"] += 1
            judgement.accepted += len(accepted)
            if writer is not None and accepted:
                await self._keep(writer, accepted)
        return judgement

    def _find(self, reason: str, since: datetime, after: int) -> list[_Reject]:
        parameters = {"reason": reason, "since": since, "after": after, "page": _PAGE}
        parameters |= {"other_key": RejectReason.OTHER_WRITE_KEY, "bot": RejectReason.BOT}
        rows = self._scope.run(self._client, _FIND, parameters).named_results()
        return [_Reject(payload=bytes.fromhex(row.pop("payload_hex")), **row) for row in rows]

    def _judge(self, reject: _Reject, batch_id: str) -> LandedEvent:
        endpoint = endpoint_of(reject.protocol, reject.path)
        if endpoint is None:
            raise RejectedEventError(RejectReason.INVALID_SHAPE, f"no protocol is spoken at {reject.path}")
        demand_size(reject.payload, self._wanted.limits.event_bytes)
        if "POST" in endpoint.methods:
            wire = Wire("POST", reject.path, b"", {}, reject.ip, endpoint.wrap(reject.payload))
        else:
            wire = Wire("GET", reject.path, reject.payload, {}, reject.ip)
        try:
            delivery = endpoint.parse(wire)
            (raw,) = delivery.events
        except (MalformedRequestError, ValueError) as error:
            raise RejectedEventError(RejectReason.INVALID_JSON, str(error)) from error
        event = delivery.decode(raw)
        if event.type == EventType.ALIAS:
            # The first alias of an id counts, and some protocols say its direction in the head of the request.
            raise RejectedEventError(RejectReason.INVALID_TYPE, "an alias is not judged anew: send it again")
        event.message_id = event.message_id or reject.message_id or f"replay-{reject.reject_id:016x}"
        received = Received(
            project_id=self._scope.project_id,
            write_key_id=reject.write_key_id,
            protocol=endpoint.protocol,
            received_ms=round(reject.received_at.timestamp() * 1000),
            ip=reject.ip,
            user_agent="",
            schemas=self._wanted.schemas,
            privacy=self._wanted.rules.privacy,
            is_cleaned=True,
            limits=self._wanted.limits,
            country=self._wanted.geography.country(reject.ip),
            country_of=self._wanted.geography.country,
        )
        return Validator(received).land(event, 0, batch_id)

    async def _keep(self, writer: SpoolWriter, accepted: list[tuple[_Reject, LandedEvent]]) -> None:
        rows = [row for _, row in accepted]
        writer.append(Kind.EVENTS, len(rows), self._encode_lines(rows), project_id=self._scope.project_id)
        await writer.commit()
        now = datetime.now(UTC)
        self._client.insert(
            "raw.replays",
            [(self._scope.project_id, reject.reject_id, now) for reject, _ in accepted],
            column_names=["project_id", "reject_id", "replayed_at"],
        )


async def _replay(settings: ReplaySettings, arguments: argparse.Namespace) -> Judgement:
    with warehouse.connect(settings.clickhouse_url.get_secret_value()) as client:
        loaded = load_rules(settings.database_url.get_secret_value(), arguments.project_id)
        if loaded is None:
            raise SystemExit(f"There is no project {arguments.project_id}.")
        geography = Geography.open_or_embedded(settings.geo_database)
        replay = Replay(client, arguments.project_id, Wanted(*loaded, settings.limits, geography))
        since = datetime.fromisoformat(arguments.since).astimezone(UTC)
        run = partial(replay.run, reason=arguments.reason, since=since)
        if arguments.dry_run:
            return await run(None)
        writer = SpoolWriter(
            settings.spool_dir,
            settings.ledger_dir,
            segment_max_bytes=settings.segment_max_bytes,
            segment_max_age_s=settings.segment_max_age_s,
        )
        try:
            return await run(writer)
        finally:
            await writer.close()


def main() -> int:
    """Replay, and print how many were accepted and refused as JSON."""
    parser = argparse.ArgumentParser(description="Judge rejected events anew.")
    parser.add_argument("project_id", type=int)
    parser.add_argument("--reason", default="")
    parser.add_argument("--since", default="1970-01-01T00:00:00+00:00")
    parser.add_argument("--dry-run", action="store_true")
    arguments = parser.parse_args()
    settings = ReplaySettings.read()
    configure("replay", settings)
    judgement = asyncio.run(_replay(settings, arguments))
    sys.stdout.write(json.dumps({"accepted": judgement.accepted, "refused": dict(judgement.refused)}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
