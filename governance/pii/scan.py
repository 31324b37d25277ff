"""One scan: which events are new, what is in them, where the findings go."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil

from clickhouse_connect.driver.client import Client

from governance.pii import sampling
from governance.pii.detection import Detector
from governance.pii.finding import Finding

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# A row carries the instant at which its insert began and is seen when the insert ends: begin a little before the point
# that the last scan reached. Inserts end after 120 s at most, and a clock may be set back a little. What is read twice
# changes nothing.
_OVERLAP = timedelta(minutes=10)

_NOW = "select now64(3, 'UTC')"
_PROGRESS = "select max(scanned_until) from {governance:Identifier}.pii_scans"
# final: a finding that was reported by several scans keeps the first one's instant until its rows are merged.
_FIRST_FOUND = """
select project_id, event, property, entity, first_found_at
from {governance:Identifier}.pii_findings final
"""
_FINDING_COLUMNS = [
    "project_id", "event", "property", "entity", "method", "score",
    "values_seen", "values_checked", "values_matched", "first_found_at", "last_found_at",
]  # fmt: skip
_SCAN_COLUMNS = [
    "started_at", "scanned_from", "scanned_until", "events", "sampled_one_in",
    "values_checked", "findings", "duration_ms",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class ScanLimits:
    """How much one scan reads at most. 500,000 events take about 3 s, 15,000 values about 15 s on one core."""

    events: int = 500_000
    """With more new events than this, one in so many is read that about this number remains."""
    values_per_property: int = 50


@dataclass(frozen=True, slots=True)
class Scan:
    """What one scan did: its half-open window of `inserted_at` (UTC), its size, and every finding."""

    started_at: datetime
    scanned_from: datetime
    scanned_until: datetime
    events: int
    sampled_one_in: int
    values_checked: int
    findings: Sequence[Finding]
    duration_ms: int


def scan(
    client: Client,
    *,
    landing: str = "raw",
    governance: str = "governance",
    limits: ScanLimits | None = None,
    clock: Callable[[], datetime] | None = None,
) -> Scan:
    """Scan the events that were inserted since the last scan and record what was found.

    `landing` and `governance` are the databases of `events` and of `pii_findings` and `pii_scans`. Findings are
    written before the progress is, so that a scan that dies is repeated; repeating one replaces its findings. `clock`
    stands in for ClickHouse's, which also writes `inserted_at`.
    """
    limits = limits or ScanLimits()
    began = time.monotonic()
    started_at = clock() if clock else _now(client)
    scanned_from = _progress(client, governance)
    events = sampling.count_events(client, landing, scanned_from, started_at)
    one_in = max(1, ceil(events / limits.events))
    samples = (
        sampling.draw_samples(
            client, landing, scanned_from, started_at, one_in=one_in, most_values=limits.values_per_property
        )
        if events
        else []
    )
    findings = list(Detector().detect(samples))
    done = Scan(
        started_at=started_at,
        scanned_from=scanned_from,
        scanned_until=started_at,
        events=events,
        sampled_one_in=one_in,
        values_checked=sum(len(sample.values) for sample in samples),
        findings=findings,
        duration_ms=round((time.monotonic() - began) * 1000),
    )
    _record(client, governance, done)
    return done


def _now(client: Client) -> datetime:
    instant: datetime = client.query(_NOW).result_rows[0][0]
    return instant


def _progress(client: Client, governance: str) -> datetime:
    reached = client.query(_PROGRESS, parameters={"governance": governance}).result_rows[0][0]
    return max(reached - _OVERLAP, _EPOCH)


def _record(client: Client, governance: str, done: Scan) -> None:
    if done.findings:
        known = {
            tuple(key): first_found_at
            for *key, first_found_at in client.query(_FIRST_FOUND, parameters={"governance": governance}).result_rows
        }
        rows = [
            [
                found.project_id, found.event, found.property, found.entity, found.method, found.score,
                found.values_seen, found.values_checked, found.values_matched,
                known.get((found.project_id, found.event, found.property, found.entity), done.started_at),
                done.started_at,
            ]
            for found in done.findings
        ]  # fmt: skip
        client.insert("pii_findings", rows, column_names=_FINDING_COLUMNS, database=governance)
    row = [
        done.started_at, done.scanned_from, done.scanned_until, done.events, done.sampled_one_in,
        done.values_checked, len(done.findings), done.duration_ms,
    ]  # fmt: skip
    client.insert("pii_scans", [row], column_names=_SCAN_COLUMNS, database=governance)
