create table if not exists raw.backfills ${on_cluster}
(
    day Date32 comment 'UTC day whose events are to be made anew.',
    requested_at DateTime64(3, 'UTC') comment 'When that was asked for; the latest counts.'
)
engine = ${replicated}ReplacingMergeTree(requested_at)
order by day;
