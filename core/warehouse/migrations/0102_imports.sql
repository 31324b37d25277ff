-- Files of history that were imported: how far each one is, so that an import that was cut off goes on where it was.

create table if not exists raw.imports ${on_cluster}
(
    project_id UInt32 comment 'Project into which the file goes.',
    import_id String comment 'Hash of project, mapping and the file''s bytes: the same file under another name has the same.',
    started_at DateTime64(3, 'UTC') comment 'When this run began; its events'' received_at. A forced run is another run.',
    block UInt32 comment '0 for the file as a whole, else the block''s number, from 1.',
    state LowCardinality(String) comment 'Of the file: running, finished or failed. Of a block: landed.',
    file_name String comment 'Name under which it was imported.',
    content_hash String comment 'SHA-256 of the file''s bytes.',
    mapping LowCardinality(String) comment 'Name of the mapping.',
    mapping_document String codec(ZSTD(1)) comment 'The mapping as JSON.',
    write_key_id UInt32 comment 'Write key with which it was sent; 0 for the command line.',
    rows_read UInt64 comment 'Rows of the file, or of the block.',
    rows_landed UInt64 comment 'Of these, rows in raw.events.',
    rows_rejected UInt64 comment 'Of these, rows in raw.rejects.',
    ids_made UInt64 comment 'Rows that had no id of their own.',
    detail String comment 'Why it failed.',
    recorded_at DateTime64(6, 'UTC') default now64(6) comment 'When this was noted; the latest wins.'
)
engine = ${replicated}ReplacingMergeTree(recorded_at)
order by (project_id, import_id, started_at, block);
