-- How events fit the schemas of their project, and what is noticed about their properties. See docs/event-schemas.md.

alter table raw.events ${on_cluster}
    add column if not exists schema_version UInt32 comment 'Version of the event schema that it was judged by; 0 when by none.' after batch_id,
    add column if not exists schema_deviations Array(LowCardinality(String)) comment 'Where it does not fit that schema and by which rule, e.g. /amount type.' after schema_version,
    -- Whoever looks at what is new goes by inserted_at. Rows that lie together came together, so that this skips all
    -- that is old; parts from before get it when they are merged.
    add index if not exists inserted_at_minmax inserted_at type minmax granularity 1;

-- The row of project 0 says how far the look at raw.events has come: in the same insert as what it saw, so that
-- nothing is counted twice.
create table if not exists governance.event_properties ${on_cluster}
(
    project_id UInt32 comment 'Project whose events carry the property.',
    event LowCardinality(String) comment 'Event name, as in raw.events.',
    property String comment 'Column and path in its JSON, e.g. properties.address.city; [] stands for the items of a list, * for a key that is data itself. Empty: the event as a whole.',
    types SimpleAggregateFunction(groupUniqArrayArray, Array(String)) comment 'JSON types that were seen: string, integer, number, boolean, object, array, null.',
    first_seen_at SimpleAggregateFunction(min, DateTime64(3, 'UTC')) comment 'Earliest inserted_at of an event with it.',
    last_seen_at SimpleAggregateFunction(max, DateTime64(3, 'UTC')) comment 'Latest inserted_at of an event with it.',
    deliveries SimpleAggregateFunction(sum, UInt64) comment 'Rows of raw.events with it; an event that was delivered twice counts twice.',
    schema_version SimpleAggregateFunction(max, UInt32) comment 'Latest version of the event''s schema, of those that held while it came, that names it; 0 when none does.'
)
engine = ${replicated}AggregatingMergeTree
order by (project_id, event, property);

create table if not exists governance.schema_changes ${on_cluster}
(
    project_id UInt32 comment 'Project whose events changed.',
    event LowCardinality(String) comment 'Event name, as in raw.events.',
    property String comment 'Which property, as in governance.event_properties; for a deviation its JSON pointer. Empty: the event as a whole.',
    change LowCardinality(String) comment 'new_event, new_property, new_type, vanished, deviation or too_many_properties.',
    detail String comment 'What is new about it, for people; no value of an event.',
    schema_version UInt32 comment 'Version of the event''s schema that held then; 0 when none did.',
    noticed_at SimpleAggregateFunction(min, DateTime64(3, 'UTC')) comment 'When it was first noticed.'
)
engine = ${replicated}AggregatingMergeTree
order by (project_id, event, property, change, detail, schema_version);
