-- Traits that a client wants to set once, or to count up, beside those that it sets.

alter table raw.events ${on_cluster}
    add column if not exists traits_once String codec(ZSTD(1)) comment 'JSON object of traits to set where there are none; empty when absent.' after traits,
    add column if not exists traits_increment String codec(ZSTD(1)) comment 'JSON object of numbers to add to traits; empty when absent.' after traits_once;
