-- What the scan for personal data found, and how far it has come. See docs/privacy.md; no value of an event is kept here.

create database if not exists governance ${on_cluster};

create table if not exists governance.pii_findings ${on_cluster}
(
    project_id UInt32 comment 'Project whose events carry the personal data.',
    event LowCardinality(String) comment 'Event name, as in raw.events.',
    property String comment 'Column and path in its JSON, e.g. properties.address.city; [] stands for the items of a list, * for a key that is data itself.',
    entity LowCardinality(String) comment 'Kind of personal data, e.g. EMAIL_ADDRESS.',
    method LowCardinality(String) comment 'How it was recognised: pattern, model or name (of the property).',
    score Float32 comment 'Highest confidence among the matches, 0 to 1.',
    values_seen UInt64 comment 'Distinct values of the property in the scan that last found it (approximate).',
    values_checked UInt32 comment 'How many of them were sampled and checked.',
    values_matched UInt32 comment 'How many of the checked values match.',
    first_found_at DateTime64(3, 'UTC') comment 'Start of the scan that first found it.',
    last_found_at DateTime64(3, 'UTC') comment 'Start of the scan that last found it; the latest row wins.'
)
engine = ${replicated}ReplacingMergeTree(last_found_at)
order by (project_id, event, property, entity);

create table if not exists governance.pii_scans ${on_cluster}
(
    started_at DateTime64(3, 'UTC') comment 'When the scan began.',
    scanned_from DateTime64(3, 'UTC') comment 'Events with inserted_at at or after this were looked at …',
    scanned_until DateTime64(3, 'UTC') comment '… and before this; the next scan begins here.',
    events UInt64 comment 'Events in that window.',
    sampled_one_in UInt32 comment 'One in so many of them was read.',
    values_checked UInt64 comment 'Distinct values that were given to the recognisers.',
    findings UInt32 comment 'Rows written to governance.pii_findings.',
    duration_ms UInt64 comment 'How long the scan took.'
)
engine = ${replicated}MergeTree
order by started_at
ttl toDateTime(started_at) + interval 90 day;
