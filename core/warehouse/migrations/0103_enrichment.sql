-- What can be told of an event beyond what it says. See docs/enrichment.md.

alter table raw.events ${on_cluster}
    add column if not exists country LowCardinality(String) comment 'ISO 3166-1 code of the address''s country on receiving; empty when not known.' after user_agent;

create database if not exists enrichment ${on_cluster};

create table if not exists enrichment.user_agents ${on_cluster}
(
    user_agent String codec(ZSTD(1)) comment 'As in raw.events.',
    browser LowCardinality(String) comment 'Family, e.g. Chrome or Mobile Safari.',
    browser_version LowCardinality(String) comment 'Major and minor version.',
    os LowCardinality(String) comment 'Family of the operating system, e.g. Windows, Android or iOS.',
    os_version LowCardinality(String) comment 'Major and minor version.',
    device_type LowCardinality(String) comment 'desktop, mobile, tablet, tv, console or wearable; empty when not known.',
    device_brand LowCardinality(String) comment 'Maker of the device.',
    is_bot Bool comment 'Whether it is a robot''s.',
    rules LowCardinality(String) comment 'By which rules it was read.',
    looked_up_at DateTime64(3, 'UTC') comment 'When it was read; the latest row wins.'
)
engine = ${replicated}ReplacingMergeTree(looked_up_at)
order by user_agent;

create table if not exists enrichment.addresses ${on_cluster}
(
    ip String codec(ZSTD(1)) comment 'As in raw.events; gone with the last event that has it.',
    country LowCardinality(String) comment 'ISO 3166-1 code.',
    region LowCardinality(String) comment 'First-level division, where the database knows it.',
    city LowCardinality(String) comment 'City, where the database knows it.',
    rules LowCardinality(String) comment 'In which database it was looked up.',
    looked_up_at DateTime64(3, 'UTC') comment 'When; the latest row wins.'
)
engine = ${replicated}ReplacingMergeTree(looked_up_at)
order by ip;

create table if not exists enrichment.custom ${on_cluster}
(
    project_id UInt32 comment 'Project of the event.',
    message_id String codec(ZSTD(1)) comment 'The event.',
    processor LowCardinality(String) comment 'Name of the operator''s own processor.',
    version LowCardinality(String) comment 'Its version.',
    properties String codec(ZSTD(1)) comment 'JSON object that it returned for the event.',
    processed_at DateTime64(3, 'UTC') comment 'When; the latest row wins.'
)
engine = ${replicated}ReplacingMergeTree(processed_at)
order by (project_id, message_id, processor);

create table if not exists enrichment.progress ${on_cluster}
(
    project_id UInt32 comment 'Project; 0 for all projects.',
    processor LowCardinality(String) comment 'Name of the operator''s own processor; in brackets the table of a look-up.',
    version LowCardinality(String) comment 'Its version, or the rules of the look-up.',
    processed_until DateTime64(3, 'UTC') comment 'Events with inserted_at before this went through it; for a look-up of all events, when that was.',
    updated_at DateTime64(3, 'UTC') comment 'When this row was written; the latest wins.'
)
engine = ${replicated}ReplacingMergeTree(updated_at)
order by (project_id, processor);
