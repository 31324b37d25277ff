"""The questions of the reconciliation. Each goes over all projects at once, and answers by project."""

FIRST_PAGE = """
select toUnixTimestamp64Milli(min(begun_at)) as first_ms
from {landing:Identifier}.acknowledged
"""

MISSING_PAGES = """
select sum(missing) as missing
from (
    select max(page) - min(page) + 1 - uniqExact(page) as missing
    from {landing:Identifier}.acknowledged
    where
        begun_at >= {begin:DateTime64(3, 'UTC')}
        and begun_at < {end:DateTime64(3, 'UTC')}
        and source = 'collector'
    group by ledger_id
)
"""

SEGMENT_COUNTS = (
    "acknowledged", "unacknowledged", "landed", "rejected", "waiting", "lost", "doubled", "unledgered",
    "unreported", "missing_segments",
)  # fmt: skip

# final: a page that was reported again has two rows until its parts are merged, and both would be added up.
SEGMENTS = """
with
    told as (
        select
            project_id,
            toString(batch_id) as batch,
            sumIf(events + rejects, source = 'collector') as acknowledged,
            greatest(sumIf(events, source = 'collector'), sumIf(events, source = 'shipper'))
            + greatest(sumIf(rejects, source = 'collector'), sumIf(rejects, source = 'shipper')) as held,
            max(is_in_spool) as is_in_spool,
            toUInt64(0) as landed,
            toUInt64(0) as rejected,
            toDateTime64(0, 3, 'UTC') as newest,
            1 as is_told
        from {landing:Identifier}.acknowledged final
        where begun_at >= {begin:DateTime64(3, 'UTC')} and begun_at < {end:DateTime64(3, 'UTC')}
        group by project_id, batch
    ),
    stored as (
        select
            project_id,
            -- By way of Kafka the name of its record follows the segment's, after a dot.
            splitByChar('.', toString(batch_id))[1] as batch,
            toUInt64(0) as acknowledged,
            toUInt64(0) as held,
            0 as is_in_spool,
            countIf(is_event) as landed,
            countIf(not is_event) as rejected,
            max(inserted_at) as newest,
            0 as is_told
        from (
            select project_id, batch_id, inserted_at, true as is_event
            from {landing:Identifier}.events
            where
                received_at >= {received_since:DateTime64(3, 'UTC')}
                and batch_id >= {first_batch:String}
                and batch_id < {end_batch:String}
            union all
            select project_id, batch_id, inserted_at, false as is_event
            from {landing:Identifier}.rejects
            where
                received_at >= {received_since:DateTime64(3, 'UTC')}
                and batch_id >= {first_batch:String}
                and batch_id < {end_batch:String}
        )
        group by project_id, batch
    ),
    segments as (
        select
            project_id,
            batch,
            sum(acknowledged) as acknowledged,
            sum(held) as held,
            max(is_in_spool) as is_in_spool,
            sum(landed) as landed,
            sum(rejected) as rejected,
            max(is_told) as is_told,
            max(newest) < now64(3) - toIntervalSecond({settled_after_s:UInt32}) as is_settled,
            landed + rejected as stored,
            greatest(toInt64(held) - toInt64(stored), 0) as missing,
            greatest(toInt64(stored) - toInt64(held), 0) as surplus
        from (
            select * from told
            union all
            select * from stored
        )
        group by project_id, batch
    )
select
    project_id,
    sum(segments.acknowledged) as acknowledged,
    sum(segments.held) - acknowledged as unacknowledged,
    sum(segments.landed) as landed,
    sum(segments.rejected) as rejected,
    sumIf(missing, is_in_spool = 1) as waiting,
    sumIf(missing, is_in_spool = 0) as lost,
    sumIf(surplus, is_told = 1 and is_settled) as doubled,
    sumIf(surplus, is_told = 0 and is_settled) as unledgered,
    sumIf(surplus, not is_settled) as unreported,
    countIf(is_in_spool = 0 and held > 0 and stored = 0) as missing_segments
from segments
group by project_id
"""

MODEL_COUNTS = ("deliveries", "firsts", "canaries", "unsettled", "modelled", "unmodelled", "unfounded")

# An event counts to the day of its first delivery, also where other days have deliveries of it.
MODELS = """
with
    ids as (
        select project_id, message_id
        from {landing:Identifier}.events
        where
            received_at >= {received_since:DateTime64(3, 'UTC')}
            and batch_id >= {first_batch:String}
            and batch_id < {end_batch:String}
            and cityHash64(message_id) % {buckets:UInt32} = {bucket:UInt32}
        union all
        select project_id, message_id
        from {staging:Identifier}.stg_collector__events
        where
            batch_id >= {first_batch:String}
            and batch_id < {end_batch:String}
            and cityHash64(message_id) % {buckets:UInt32} = {bucket:UInt32}
    ),
    deliveries as (
        select
            project_id, message_id, received_at, sequence, toString(batch_id) as batch, inserted_at,
            protocol = 'canary' as is_canary, 1 as is_landed
        from {landing:Identifier}.events
        where (project_id, message_id) in (select project_id, message_id from ids)
        union all
        select
            project_id, message_id, received_at, sequence, toString(batch_id) as batch, inserted_at,
            false as is_canary, 0 as is_landed
        from {staging:Identifier}.stg_collector__events
        where (project_id, message_id) in (select project_id, message_id from ids)
    ),
    events as (
        select
            project_id,
            message_id,
            argMinIf((batch, is_canary), (received_at, sequence, batch), is_landed = 1) as first_delivery,
            countIf(is_landed = 1) as landed,
            countIf(is_landed = 1 and batch >= {first_batch:String} and batch < {end_batch:String}) as of_the_day,
            countIf(is_landed = 0) as staged,
            anyIf(batch, is_landed = 0) as staged_batch,
            max(inserted_at) < now64(3) - toIntervalSecond({settled_after_s:UInt32}) as is_settled,
            tupleElement(first_delivery, 1) as earliest,
            landed > 0 and earliest >= {first_batch:String} and earliest < {end_batch:String} as is_first,
            tupleElement(first_delivery, 2) as is_known_canary
        from deliveries
        group by project_id, message_id
    )
select
    project_id,
    sum(of_the_day) as deliveries,
    countIf(is_first) as firsts,
    countIf(is_first and is_known_canary) as canaries,
    countIf(is_first and not is_known_canary and staged = 0 and not is_settled) as unsettled,
    countIf(is_first and not is_known_canary and staged > 0) as modelled,
    countIf(is_first and not is_known_canary and staged = 0 and is_settled) as unmodelled,
    countIf(
        landed = 0 and staged > 0 and staged_batch >= {first_batch:String} and staged_batch < {end_batch:String}
    ) as unfounded
from events
group by project_id
"""
