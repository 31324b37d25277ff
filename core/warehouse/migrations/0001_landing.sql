-- What the collector accepted and refused, and the projects that it belongs to. See docs/storage.md for every choice.

create table if not exists raw.events ${on_cluster}
(
    project_id UInt32 comment 'Project that the write key belongs to.',
    message_id String codec(ZSTD(1)) comment 'The client''s id of the event: two events of a project with the same one are one event.',
    type LowCardinality(String) comment 'track, identify, page, screen, group or alias.',
    event LowCardinality(String) comment 'Name of a track; $pageview, $screen, $identify, $group or $alias for the others.',
    anonymous_id String codec(ZSTD(1)) comment 'Device or browser; empty when absent.',
    user_id String codec(ZSTD(1)) comment 'Identified user; empty when absent.',
    previous_id String codec(ZSTD(1)) comment 'For alias: the id that becomes one with user_id.',
    session_id String codec(ZSTD(1)) comment 'The SDK''s session; empty when absent.',
    group_type LowCardinality(String) comment 'For group: the kind of group, e.g. company.',
    group_id String codec(ZSTD(1)) comment 'For group: its id.',
    timestamp DateTime64(3, 'UTC') codec(Delta, ZSTD(1)) comment 'When the event happened, on the corrected clock.',
    original_timestamp Nullable(DateTime64(3, 'UTC')) codec(Delta, ZSTD(1)) comment 'When it happened, as the client said.',
    sent_at Nullable(DateTime64(3, 'UTC')) codec(Delta, ZSTD(1)) comment 'The client''s clock on sending.',
    received_at DateTime64(3, 'UTC') codec(Delta, ZSTD(1)) comment 'Our clock on receiving.',
    sequence UInt32 comment 'Position in its request: the order in which the client sent.',
    properties String codec(ZSTD(1)) comment 'JSON object as it came; empty when absent.',
    traits String codec(ZSTD(1)) comment 'JSON object as it came; empty when absent.',
    context String codec(ZSTD(1)) comment 'JSON object as it came; empty when absent.',
    ip String codec(ZSTD(1)) comment 'The client''s address: as it says in its context, else where the request is from.',
    user_agent LowCardinality(String) comment 'User agent: as the context says, else the request''s.',
    protocol LowCardinality(String) comment 'Wire protocol, e.g. segment.',
    library LowCardinality(String) comment 'Client library and its version, e.g. analytics-python/2.3.2.',
    write_key_id UInt32 comment 'Write key that was used.',
    batch_id LowCardinality(String) comment 'Spool segment in which it was made durable.',
    inserted_at DateTime64(3, 'UTC') default now64(3) codec(Delta, ZSTD(1)) comment 'When it reached this table.'
)
engine = ${replicated}MergeTree
partition by toYYYYMM(received_at)
order by (project_id, received_at)
settings non_replicated_deduplication_window = 10000;

create table if not exists raw.rejects ${on_cluster}
(
    project_id UInt32 comment 'Project that the write key belongs to.',
    write_key_id UInt32 comment 'Write key that was used.',
    received_at DateTime64(3, 'UTC') codec(Delta, ZSTD(1)) comment 'Our clock on receiving.',
    reason LowCardinality(String) comment 'Stable code of why, e.g. illegal_id.',
    detail String codec(ZSTD(1)) comment 'What was wrong, for people.',
    payload String codec(ZSTD(1)) comment 'The event''s bytes as they came.',
    message_id String codec(ZSTD(1)) comment 'The client''s id of the event, if it could be read.',
    protocol LowCardinality(String) comment 'Wire protocol, e.g. segment.',
    ip String codec(ZSTD(1)) comment 'The client''s address: as it says in its context, else where the request is from.',
    batch_id LowCardinality(String) comment 'Spool segment in which it was made durable.',
    inserted_at DateTime64(3, 'UTC') default now64(3) codec(Delta, ZSTD(1)) comment 'When it reached this table.'
)
engine = ${replicated}MergeTree
partition by toYYYYMM(received_at)
order by (project_id, received_at)
settings non_replicated_deduplication_window = 10000;

create table if not exists raw.projects ${on_cluster}
(
    project_id UInt32 comment 'Project, as in the metadata database.',
    name String comment 'Its name.',
    timezone String comment 'IANA zone in which its days, weeks and months are cut.',
    week_start UInt8 comment 'ISO weekday on which its weeks start: 1 Monday … 7 Sunday.',
    session_gap_minutes UInt32 comment 'Pause that starts a new session.',
    updated_at DateTime64(3, 'UTC') comment 'When this row was copied; the latest wins.'
)
engine = ${replicated}ReplacingMergeTree(updated_at)
order by project_id;
