"""A year of made-up events, as the collector lands them: few persons send most of them, in visits, on some days.

A person's activity follows a power law: of a million persons the most active thousand send 2 % of the events. Half of
the persons are identified at some time; after that, two of three of their events carry the user's id. Event names are
as frequent as in a shop, each with its properties; a third of the events are page views with a context.
"""

from clickhouse_connect.driver.client import Client

ZONE = "Europe/Berlin"
"""Where the project of the events is."""
DAYS = 365
"""How many days the events reach over, from 1 January 2025."""
PER_PERSON = 20
"""How many events a person sends, on average."""
# A client waits five minutes for a statement, in which 90 million are not made.
_AT_ONCE = 20_000_000

_MAKE_EVENTS = """
insert into raw.events (
    project_id, message_id, type, event, anonymous_id, user_id, timestamp, received_at, sequence, properties, traits,
    context, ip, user_agent, country, protocol, library, inserted_at
)
with
    number + {first:UInt64} as n,
    (sipHash64(1, n) / 18446744073709551616) as drawn_person,
    toUInt32(floor({persons:UInt32} * pow(drawn_person, 1.8))) as person,
    toUInt32(sipHash64(2, person) % {days:UInt32}) as first_day,
    -- On so many days that a visit has six events on average; the exponent is that of the density of `person`.
    greatest(1, toUInt32({per_person:Float64} / 1.8 * pow((person + 1) / {persons:UInt32}, 1 / 1.8 - 1) / 6)) as visits,
    sipHash64(3, n) % visits as visit,
    -- Late ones come within a week; the rest of a later batch is of the last day.
    multiIf(
        not {is_batch:Bool}, first_day + toUInt32(sipHash64(9, person, visit) % ({days:UInt32} - first_day)),
        n % 20 = 0, {days:UInt32} - 1 - toUInt32(sipHash64(3, n) % 7),
        {days:UInt32}
    ) as day,
    -- A visit of twenty minutes for each person and day.
    sipHash64(4, person, day) % 85000 * 1000 + sipHash64(5, n) % 1200000 as day_ms,
    fromUnixTimestamp64Milli(toInt64(1735689600000 + toUInt64(day) * 86400000 + day_ms), 'UTC') as moment,
    sipHash64(6, n) % 1000 as kind,
    multiIf(
        kind < 20, 'identify', kind < 350, '$pageview', kind < 600, 'click', kind < 720, 'search', kind < 850,
        'product_view', kind < 930, 'add_to_cart', kind < 970, 'checkout', 'purchase'
    ) as name,
    sipHash64(7, n) % 5000 as product,
    person % 2 = 0 and day > first_day and n % 3 != 0 as is_known
select
    1 as project_id,
    lower(hex(sipHash128(n))) as message_id,
    multiIf(name = 'identify', 'identify', name = '$pageview', 'page', 'track') as type,
    if(name = 'identify', '$identify', name) as event,
    concat('device-', toString(person)) as anonymous_id,
    if(person % 2 = 0 and (name = 'identify' or is_known), concat('user-', toString(person)), '') as user_id,
    moment as timestamp,
    -- What is late was sent on its day and is received with the rest of its batch.
    moment + toIntervalDay(if({is_batch:Bool}, {days:UInt32} - day, 0)) + toIntervalMillisecond(sipHash64(8, n) % 3000)
        as received_at,
    toUInt32(n % 100) as sequence,
    multiIf(
        name in ('product_view', 'add_to_cart', 'purchase'),
        concat(
            '{"product_id":"p', toString(product), '","price":', toString(product % 200 + 0.99), ',"category":"',
            ['shoes', 'shirts', 'hats', 'bags', 'toys'][1 + product % 5], '","plan":"',
            ['free', 'pro', 'team'][1 + person % 3], '"}'
        ),
        name = 'search',
        concat('{"query":"term ', toString(product % 300), '","results":', toString(product % 40), '}'),
        concat('{"plan":"', ['free', 'pro', 'team'][1 + person % 3], '"}')
    ) as properties,
    if(name = 'identify', concat('{"plan":"', ['free', 'pro', 'team'][1 + person % 3], '"}'), '') as traits,
    if(
        name = '$pageview',
        concat(
            '{"page":{"url":"https://shop.example/product/', toString(product % 500), '","path":"/product/',
            toString(product % 500), '","referrer":"',
            ['', 'https://www.google.com/', 'https://shop.example/'][1 + n % 3], '","title":"Product"}}'
        ),
        ''
    ) as context,
    concat('192.0.', toString(person % 250), '.0') as ip,
    concat('Mozilla/5.0 (agent ', toString(person % 300), ')') as user_agent,
    ['DE', 'AT', 'CH', 'FR', 'US'][1 + person % 5] as country,
    'segment' as protocol,
    'analytics.js 4.1.0' as library,
    -- What lands later is another minute's.
    if({is_batch:Bool}, toDateTime64('2026-06-01 00:00:00', 3), received_at) as inserted_at
from numbers({events:UInt64})
"""


_REPEAT_EVENTS = """
insert into raw.events
select
    * replace (
        received_at + toIntervalHour(1) as received_at,
        toDateTime64('2026-06-01 00:01:00', 3) as inserted_at
    )
from raw.events
where received_at >= toDateTime64('2025-01-01', 3) + toIntervalDay({days:UInt32} - 7) and inserted_at < '2026-06-01'
order by sipHash64(message_id)
limit {events:UInt64}
"""


def make_history(client: Client, *, events: int) -> None:
    """Land a project's first year."""
    _make(client, first=0, events=events, persons=events // PER_PERSON, is_batch=False)
    client.command(
        "insert into raw.projects (project_id, name, timezone, week_start, session_gap_minutes, updated_at)"
        " values (1, 'bench', {zone:String}, 1, 30, '2025-01-01 00:00:00')",
        parameters={"zone": ZONE},
    )


def make_batch(client: Client, *, known: int, events: int) -> None:
    """Land what came since the `known` events: of the day after, one in twenty late; and repeat one for each 200."""
    _make(client, first=known, events=events, persons=known // PER_PERSON, is_batch=True)
    client.command(_REPEAT_EVENTS, parameters={"days": DAYS, "events": events // 200})


def _make(client: Client, *, first: int, events: int, persons: int, is_batch: bool) -> None:
    for made in range(0, events, _AT_ONCE):
        client.command(
            _MAKE_EVENTS,
            parameters={
                "first": first + made,
                "events": min(_AT_ONCE, events - made),
                "persons": persons,
                "days": DAYS,
                "per_person": PER_PERSON,
                "is_batch": is_batch,
            },
            settings={"max_partitions_per_insert_block": 0},
        )
