-- An answer that could not be made anew leaves the one of before where it is. See docs/saved.md.
alter table insights.results ${on_cluster}
    add column if not exists is_failure Bool comment 'It could not be answered: the latest failure is kept beside the latest answer.',
    modify order by (project_id, insight_id, is_failure);
