-- Traits that a client wants to set once, or to count up, beside those that it sets; and rejects that were judged anew.

alter table raw.events ${on_cluster}
    add column if not exists traits_once String codec(ZSTD(1)) comment 'JSON object of traits to set where there are none; empty when absent.' after traits,
    add column if not exists traits_increment String codec(ZSTD(1)) comment 'JSON object of numbers to add to traits; empty when absent.' after traits_once;

alter table raw.rejects ${on_cluster}
    add column if not exists path LowCardinality(String) comment 'Path that it was sent to; empty for what ClickHouse refused.' after protocol;

create table if not exists raw.replays ${on_cluster}
(
    project_id UInt32 comment 'Project of the reject.',
    reject_id UInt64 comment 'Which reject: ingestion/replay.py says of what it is a hash.',
    replayed_at DateTime64(3, 'UTC') comment 'When it was accepted after all.'
)
engine = ${replicated}MergeTree
order by (project_id, reject_id);
