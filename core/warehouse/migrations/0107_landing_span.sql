-- Answers look for what landed in the last minutes: without it, a look through the column of all history.
alter table raw.events ${on_cluster} add index if not exists inserted_span inserted_at type minmax granularity 1;
