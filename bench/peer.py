"""The same events in a table as PostHog keeps it, and the questions as one writes them from its schema.

Sorted by day, event and hashes; properties as text, with the columns that its administrators materialise. A person is
the one whom the event's distinct id meant when it came, unless the table of overrides knows better.
"""

from clickhouse_connect.driver.client import Client

_TABLES = (
    """
    create table peer.events (
        uuid UUID,
        event String,
        properties String codec(ZSTD(3)),
        timestamp DateTime64(6, 'UTC'),
        team_id Int64,
        distinct_id String,
        person_id UUID,
        created_at DateTime64(6, 'UTC'),
        mat_plan String materialized JSONExtractString(properties, 'plan'),
        mat_product String materialized JSONExtractString(properties, 'product_id'),
        mat_country String materialized JSONExtractString(properties, '$geoip_country_code')
    )
    engine = ReplacingMergeTree(created_at)
    partition by toYYYYMM(timestamp)
    order by (team_id, toDate(timestamp), event, cityHash64(distinct_id), cityHash64(uuid))
    """,
    """
    create table peer.person_distinct_id_overrides (
        team_id Int64, distinct_id String, person_id UUID, is_deleted Int8, version Int64
    )
    engine = ReplacingMergeTree(version)
    order by (team_id, distinct_id)
    """,
)
_COPY = """
insert into peer.events (uuid, event, properties, timestamp, team_id, distinct_id, person_id, created_at)
select
    UUIDNumToString(toFixedString(unhex(message_id), 16)) as uuid,
    event,
    concat(
        trimRight(if(properties = '', '{', substring(properties, 1, length(properties) - 1))),
        if(properties in ('', '{}'), '', ','),
        '"$ip":"', ip, '","$geoip_country_code":"', country, '","$lib":"', library,
        '","$raw_user_agent":"', user_agent, '"',
        if(context = '', '', concat(',"$current_url":"', JSONExtractString(context, 'page', 'url'),
            '","$referrer":"', JSONExtractString(context, 'page', 'referrer'), '"')),
        '}'
    ) as properties,
    timestamp,
    project_id as team_id,
    if(user_id != '', user_id, anonymous_id) as distinct_id,
    UUIDNumToString(sipHash128(distinct_id)) as person_id,
    received_at as created_at
from raw.events
"""
_OVERRIDE = """
insert into peer.person_distinct_id_overrides
select distinct
    project_id as team_id,
    anonymous_id as distinct_id,
    UUIDNumToString(sipHash128(user_id)) as person_id,
    0 as is_deleted,
    1 as version
from raw.events
where type = 'identify' and user_id != ''
"""

_EVENTS = """
peer.events as e
left outer join (
    select
        distinct_id,
        argMax(person_id, version) as person_id
    from peer.person_distinct_id_overrides
    where team_id = {project_id:UInt32}
    group by distinct_id
    having argMax(is_deleted, version) = 0
) as overrides on e.distinct_id = overrides.distinct_id
"""
_PERSON = "if(notEmpty(overrides.distinct_id), overrides.person_id, e.person_id)"
_DAY = "toDate(e.timestamp, {timezone:String})"
_FIRST, _END = (f"toDate({{{name}:DateTime64(3, 'UTC')}}, {{timezone:String}})" for name in ("start", "end"))
_IN_RANGE = (
    "e.team_id = {project_id:UInt32} and e.timestamp >= {start:DateTime64(3, 'UTC')}"
    " and e.timestamp < {end:DateTime64(3, 'UTC')}"
)

EVENT_NAMES = f"""
select e.event as event, count() as events, count(distinct {_PERSON}) as persons
from {_EVENTS} where {_IN_RANGE} group by event order by events desc, event
"""
TOTAL = f"select {_DAY} as day, count() as events from peer.events as e where {_IN_RANGE} group by day order by day"
DAILY_ACTIVE = f"""
select {_DAY} as day, count(distinct {_PERSON}) as persons
from {_EVENTS} where {_IN_RANGE} group by day order by day
"""
# Theirs joins every event with every day; this one expands each person's days, which is kinder.
TRAILING = f"""
select arrayJoin(arrayMap(n -> addDays(day, n), range({{trailing:UInt16}}))) as at, count(distinct person) as persons
from (
    select distinct {_DAY} as day, {_PERSON} as person
    from {_EVENTS}
    where
        e.team_id = {{project_id:UInt32}}
        and e.timestamp >= {{start:DateTime64(3, 'UTC')}} - toIntervalDay({{trailing:UInt16}})
        and e.timestamp < {{end:DateTime64(3, 'UTC')}}
)
where at >= {_FIRST} and at < {_END}
group by at order by at
"""
RETENTION = f"""
select first as cohort, distance, count() as persons
from (
    select
        person,
        min(day) as first,
        arrayJoin(groupUniqArray(day)) as day_of,
        day_of - first as distance
    from (
        select {_PERSON} as person, {_DAY} as day from {_EVENTS}
        where e.team_id = {{project_id:UInt32}}
    )
    group by person
)
where
    first >= {_FIRST} and first < {_END} and distance <= {{periods:UInt16}}
group by cohort, distance order by cohort, distance
"""
STICKINESS = f"""
select days, count() as persons
from (
    select {_PERSON} as person, count(distinct {_DAY}) as days from {_EVENTS}
    where {_IN_RANGE} and e.event = {{event:String}} group by person
)
group by days order by days
"""
LIFECYCLE = f"""
select at, countIf(status = 'new') as new, countIf(status = 'returning') as returning,
    countIf(status = 'resurrecting') as resurrecting, -countIf(status = 'dormant') as dormant
from (
    select
        person,
        arrayJoin(arrayConcat(
            arrayMap(
                d -> (d, multiIf(d = days[1], 'new', has(days, addDays(d, -1)), 'returning', 'resurrecting')), days
            ),
            arrayMap(d -> (addDays(d, 1), 'dormant'), arrayFilter(d -> not has(days, addDays(d, 1)), days))
        )) as pair,
        pair.1 as at,
        pair.2 as status
    from (
        select {_PERSON} as person, arraySort(groupUniqArray({_DAY})) as days
        from {_EVENTS}
        where e.team_id = {{project_id:UInt32}} and e.timestamp < {{end:DateTime64(3, 'UTC')}}
        group by person
    )
)
where at >= {_FIRST} and at < {_END}
group by at order by at
"""
COHORT = f"select count(distinct {_PERSON}) as persons from {_EVENTS} where {_IN_RANGE} and e.event = {{event:String}}"


def breakdown(column: str, *, unique: bool) -> str:
    """Return a trend of one event by a materialised column, the ten most frequent values told apart."""
    value, source = (f"count(distinct {_PERSON})", _EVENTS) if unique else ("count()", "peer.events as e")
    where = f"{_IN_RANGE} and e.event = {{event:String}}"
    return f"""
    with top as (
        select e.{column} as value from peer.events as e where {where} group by value order by count() desc limit 10
    )
    select {_DAY} as day, if(e.{column} in top, e.{column}, '(other)') as value, {value} as figure
    from {source} where {where} group by day, value order by day, value
    """


def funnel(steps: list[str]) -> str:
    """Return how many persons come how far, by windowFunnel."""
    conditions = ", ".join(f"name = {{step_{number}:String}}" for number in range(1, len(steps) + 1))
    names = ", ".join(f"{{step_{number}:String}}" for number in range(1, len(steps) + 1))
    reached = ", ".join(f"countIf(level >= {number})" for number in range(1, len(steps) + 1))
    return f"""
    select [{reached}] from (
        select person, windowFunnel({{window_ms:UInt64}})(at, {conditions}) as level
        from (
            select {_PERSON} as person, toUInt64(toUnixTimestamp64Milli(e.timestamp)) as at, e.event as name
            from {_EVENTS} where {_IN_RANGE} and e.event in ({names})
        )
        group by person
    )
    """


def make_peer(client: Client) -> None:
    """Copy all landed events and what is known of their persons."""
    client.command("create database peer")
    for table in _TABLES:
        client.command(table)
    client.command(_COPY, settings={"max_partitions_per_insert_block": 0})
    client.command(_OVERRIDE)
    client.command("optimize table peer.events final")
    client.command("optimize table peer.person_distinct_id_overrides final")
