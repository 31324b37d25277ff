-- What saved insights are answered with that are made beforehand. See docs/saved.md.
create database if not exists insights ${on_cluster};

create table if not exists insights.results ${on_cluster}
(
    project_id UInt32 comment 'Project of the insight.',
    insight_id UInt32 comment 'Saved insight.',
    made_at DateTime64(3, 'UTC') comment 'When it was asked; the latest counts.',
    version UInt32 comment 'Version of the insight that was answered; 0 where it could not be.',
    question String comment 'Digest of all that was asked, saved cohorts, the project''s calendar and the two ends of its range included; empty after an error.',
    answer String codec(ZSTD(3)) comment 'The answer as JSON; empty after an error.',
    error String comment 'Why there is no answer; empty where there is one.'
)
engine = ${replicated}ReplacingMergeTree(made_at)
order by (project_id, insight_id)
ttl toDateTime(made_at) + interval 30 day;
