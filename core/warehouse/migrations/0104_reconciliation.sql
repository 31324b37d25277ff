-- What the collectors acknowledged, by their own account, and how it compares with what landed. See docs/operations.md, "Is anything lost?".

create table if not exists raw.acknowledged ${on_cluster}
(
    project_id UInt32 comment 'Project that the write key belongs to.',
    batch_id LowCardinality(String) comment 'Spool segment in which it was made durable.',
    source LowCardinality(String) comment 'collector: what it acknowledged, by its ledger. shipper: what it found in a segment whose collector had died.',
    events UInt32 comment 'Events that were accepted, once for each delivery.',
    rejects UInt32 comment 'Events that were made durable as rejects.',
    ledger_id LowCardinality(String) comment 'Ledger of the collector process; empty from the shipper.',
    page UInt32 comment 'Which page of its ledger, from 1 on without a gap, one for each segment; 0 from the shipper.',
    is_in_spool UInt8 comment '1 while the segment waits in the spool, 0 once it is gone from there.',
    begun_at DateTime64(3, 'UTC') codec(Delta, ZSTD(1)) comment 'When the segment was begun: the day to which it counts.',
    inserted_at DateTime64(3, 'UTC') default now64(3) codec(Delta, ZSTD(1)) comment 'When it reached this table; the latest row wins.'
)
engine = ${replicated}ReplacingMergeTree(inserted_at)
partition by toYYYYMM(begun_at)
order by (begun_at, batch_id, project_id, source)
ttl toDateTime(begun_at) + interval 60 day;

create table if not exists governance.reconciliation ${on_cluster}
(
    day Date comment 'UTC day on which the segments were begun.',
    project_id UInt32 comment 'Project.',
    acknowledged UInt64 comment 'Events that collectors acknowledged, rejected ones among them.',
    unacknowledged UInt64 comment 'Events that a collector wrote and was killed before it could say so.',
    landed UInt64 comment 'Rows of raw.events.',
    rejected UInt64 comment 'Rows of raw.rejects.',
    waiting UInt64 comment 'Events whose segment is still in a spool.',
    lost UInt64 comment 'Events of segments that left the spool, in neither table. 0, or something is wrong.',
    doubled UInt64 comment 'Rows beyond those that a segment held. 0, or something is wrong.',
    unledgered UInt64 comment 'Rows of segments of which no ledger tells. 0, or something is wrong.',
    unreported UInt64 comment 'Rows of which the ledger need not tell yet, for they landed a short while ago.',
    missing_segments UInt64 comment 'Segments of which no row is there.',
    duplicates UInt64 comment 'Landed rows that are not the first delivery of their event.',
    canaries UInt64 comment 'Landed canaries, which are not modelled.',
    unsettled UInt64 comment 'Landed events that the models need not have seen yet.',
    modelled UInt64 comment 'Events in the models.',
    unmodelled UInt64 comment 'Landed events that the models should have and do not. 0, or something is wrong.',
    unfounded UInt64 comment 'Events in the models without a landed row. 0, or something is wrong.',
    reconciled_at DateTime64(3, 'UTC') comment 'When it was compared; the latest row wins.'
)
engine = ${replicated}ReplacingMergeTree(reconciled_at)
partition by toYYYYMM(day)
order by (day, project_id)
ttl day + interval 2 year;
