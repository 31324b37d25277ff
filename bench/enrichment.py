"""What enrichment costs, and what the other ways of doing it would: at ingest, as dictionaries, in the models.

    python bench/enrichment.py [--check] [--json FILE] [--quick]

Starts the embedded ClickHouse on an empty directory, makes browser events in it (ten for each person; as many
addresses as persons, 3,000 user agents), looks addresses and agents up, and builds the models. Statements are timed by
the processor's time of all their threads, which other work on the machine hardly changes.
"""

import json
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import iptocc
import report
from clickhouse_connect.driver.client import Client
from instance import build_models, engines

from core.clock import utc_now
from core.enrichment.bots import is_bot
from core.enrichment.geography import Geography
from core.enrichment.user_agents import read
from orchestration.defs.enrichment.lookups import address_lookup, refresh_lookup, user_agent_lookup
from runtime.instance import Instance

_AGENTS = 3_000
_MIB = 1024**2
_AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/{major}.0.{build}.0 Safari/537.36"
)
_MAKE_EVENTS = """
insert into raw.events (
    project_id, message_id, type, event, anonymous_id, timestamp, received_at, sequence, properties, context, ip,
    user_agent, country, protocol, library, inserted_at
)
with number % {persons:UInt64} as person
select
    1, toString(generateUUIDv4()), if(number % 3 = 0, 'page', 'track'), if(number % 3 = 0, '$pageview', 'click'),
    concat('device-', toString(person)),
    toDateTime64('2026-01-01 00:00:00', 3) + interval number second as moment, moment, number % 100,
    '{"price":12.5,"plan":"pro"}',
    concat(
        '{"page":{"url":"https://shop.example/product/', toString(number % 5000), '/',
        if(number % 10 = 0, '?utm_source=google&utm_medium=cpc&gclid=Cj0KCQ', ''), '","path":"/product/',
        toString(number % 5000), '/","referrer":"',
        ['', 'https://www.google.com/', 'https://shop.example/'][1 + number % 3],
        '","title":"Product"},"screen":{"width":1920,"height":1080,"density":1},"locale":"de-DE",',
        '"timezone":"Europe/Berlin","library":{"name":"analytics.js","version":"4.1.0"}}'
    ),
    IPv4NumToString(toUInt32(16777216 + person * 977)),
    concat(
        'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/',
        toString(60 + person % 60), '.0.', toString(person % {agents:UInt64}), '.0 Safari/537.36'
    ),
    'DE', 'segment', 'analytics.js/4.1.0', moment
from numbers({events:UInt64})
"""
_COST = """
select sum(ProfileEvents['OSCPUVirtualTimeMicroseconds']) / 1e6, max(memory_usage) / 1048576
from system.query_log
where type = 'QueryFinish' and event_time_microseconds >= {since:DateTime64(6)} and query like {pattern:String}
"""


def main() -> int:
    """Measure, print and judge."""
    options = report.parse_options("Time what enrichment costs.")
    table = report.Report("Enrichment", ("what", "measured", "goal"))
    events = 500_000 if options.quick else 5_000_000
    _measure_lookups(table)
    with engines() as (instance, client):
        _make_events(client, events)
        for name, lookup in (("user agents", user_agent_lookup()), ("addresses", address_lookup(Geography.open()))):
            for run, later in (("first", 0), ("second", 0), ("daily", 2)):
                moment = utc_now() + timedelta(days=later)
                began = time.perf_counter()
                done = refresh_lookup(
                    client, lookup, landing="raw", enrichment="enrichment", clock=lambda at=moment: at
                )
                what = f"{name}, {run} run: {done.looked_up:,} of {done.rows:,} looked up"
                table.row(what, f"{time.perf_counter() - began:.2f} s", "")
        for run in ("first", "second"):
            _measure_models(table, instance, client, events, run)
        _measure_views(table, client, events)
        _measure_trie(table, client)
    return table.finish(options)


def _measure_lookups(table: report.Report) -> None:
    """Time one look-up in Python, uncached."""
    agents = [_AGENT.format(major=major, build=build) for major in range(60, 120) for build in range(50)]
    addresses = [
        f"{first}.{second}.{third}.9" for first in (5, 46, 81, 91) for second in range(256) for third in (1, 77)
    ]
    place = Geography.open()
    timed = (
        ("a user agent, read", read, agents),
        ("a user agent, whether a bot's", is_bot.__wrapped__, agents),
        ("an address, its country", iptocc.country_code, addresses),
    )
    for what, look_up, values in timed:
        look_up("")  # the first one loads the rules
        began = time.process_time()
        for value in values:
            look_up(value)
        table.row(what, f"{(time.process_time() - began) / len(values) * 1e6:.2f} µs", "")
    began = time.process_time()
    for _ in range(100_000):
        place.country(addresses[0])
    per_event_us = (time.process_time() - began) / 0.1
    table.row("an address that was just looked up (at ingest)", f"{per_event_us:.2f} µs", "1 µs")
    table.ratio("country_at_ingest", 1 / per_event_us, goal=1.0)


def _make_events(client: Client, events: int) -> None:
    client.command(
        _MAKE_EVENTS,
        parameters={"events": events, "persons": events // 10, "agents": _AGENTS},
        settings={"max_partitions_per_insert_block": 0},
    )
    project = [[1, "bench", "UTC", 1, 30, "2026-01-01 00:00:00"]]
    names = ["project_id", "name", "timezone", "week_start", "session_gap_minutes", "updated_at"]
    lines = "\n".join(json.dumps(dict(zip(names, row, strict=True))) for row in project)
    client.raw_insert("raw.projects", insert_block=lines, fmt="JSONEachRow")


def _measure_models(table: report.Report, instance: Instance, client: Client, events: int, run: str) -> None:
    since = client.query("select toString(now64(6))").result_rows[0][0]
    with tempfile.TemporaryDirectory() as target:
        build_models(instance, Path(target), select="+fct_events")
    for model in ("stg_collector__events", "int_traffic_sources_classified", "fct_events"):
        cpu_s, memory_mib = _cost(client, since, f'%"node_id": "model.radixinsight.{model}"%')
        what = f"{model}, {run} run: processor, {events:,} events"
        table.row(what, f"{cpu_s:.1f} s, {memory_mib:,.0f} MiB", "")


def _measure_views(table: report.Report, client: Client, events: int) -> None:
    """Read what fct_events reads, with and without what enrichment adds to it."""
    plain = "project_id, message_id, type, event, person_id, session_id, timestamp, received_at, properties"
    cost: dict[str, tuple[float, float]] = {}
    for view, columns in (("int_events_identified", plain), ("int_events_enriched", "*")):
        since = client.query("select toString(now64(6))").result_rows[0][0]
        client.command(
            f"create table default.{view} engine = Null as select {columns} from intermediate.{view} limit 0"
        )
        client.command(f"insert into default.{view} select {columns} from intermediate.{view}")
        cost[view] = _cost(client, since, f"insert into default.{view}%")
        table.row(f"reading {view}", f"{cost[view][0]:.1f} s, {cost[view][1]:,.0f} MiB", "")
    added_us = (cost["int_events_enriched"][0] - cost["int_events_identified"][0]) / events * 1e6
    table.row("added to an event in each run", f"{added_us:.2f} µs", "5 µs")
    table.ratio("added_to_an_event", 5 / added_us, goal=1.0)


def _measure_trie(table: report.Report, client: Client) -> None:
    """Hold the embedded countries (IPv4, by /24) as a dictionary of prefixes: the way without a table of addresses."""
    rows: list[list[str]] = []
    for block in range(1 << 16):
        first, second = block >> 8, block & 255
        codes = [iptocc.country_code(f"{first}.{second}.{third}.0") for third in range(256)]
        if len(set(codes)) == 1:
            rows += [[f"{first}.{second}.0.0/16", codes[0]]] if codes[0] else []
        else:
            rows += [[f"{first}.{second}.{third}.0/24", code] for third, code in enumerate(codes) if code]
    client.command("create table default.prefixes (prefix String, country String) engine = MergeTree order by prefix")
    client.insert("prefixes", rows, column_names=["prefix", "country"], database="default")
    client.command(
        "create dictionary default.countries (prefix String, country String default '') primary key prefix "
        "source(clickhouse(query 'select prefix, country from default.prefixes')) lifetime(0) layout(ip_trie)"
    )
    client.command("system reload dictionary default.countries")
    size = client.query("select bytes_allocated from system.dictionaries where name = 'countries'").result_rows[0][0]
    table.row(f"the same as an ip_trie dictionary, {len(rows):,} prefixes: at rest", f"{size / _MIB:.0f} MiB", "")


def _cost(client: Client, since: str, pattern: str) -> tuple[float, float]:
    """Return processor seconds and greatest memory in MiB of the statements since then."""
    client.command("system flush logs")
    cpu_s, memory_mib = client.query(_COST, parameters={"since": since, "pattern": pattern}).result_rows[0]
    return cpu_s, memory_mib


if __name__ == "__main__":
    sys.exit(main())
