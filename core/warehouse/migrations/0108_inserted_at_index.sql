-- What landed last is looked up by when it was inserted, and events are in the order of their receipt.

alter table raw.events ${on_cluster}
    add index if not exists inserted_at_minmax inserted_at type minmax granularity 1;

alter table raw.events ${on_cluster}
    materialize index inserted_at_minmax;
