{#-
    Web analytics: what insights_trends makes of sessions and of views, under the names that people know. Grain, order, and
    the columns before the figures are those of insights_trends, and so is what `breakdown`, `top`, `compare`,
    `moving_average`, `cumulative` and `keys` mean; figures are Nullable(Float64).
-#}

{#-
    Figures: visitors (persons), sessions, views, bounces (sessions), bounce_rate (0 to 1), avg_duration_ms, views_per_session;
    the last three are null without sessions.

    `relation` is fct_sessions. A session with at least one page or screen view counts, as a whole, when it starts.
    `breakdown` and `where` are about its columns: channel, utm_campaign, entry_path, country …

    `rolled`: `relation` is agg_sessions_daily, `breakdown` is empty or one of its dimensions, `where` is about projects
    alone, and the range consists of whole days of the project's zone, in no smaller buckets: whoever asks sees to it.
-#}
{%- macro insights_web(
    relation, project, start, end, interval, timezone, week_start='1', where='true', breakdown=[], top='10', keys=[],
    compare=none, moving_average=none, cumulative=false, rolled=false
) -%}
{%- set visits -%}
{%- if rolled -%}
(
    select
        project_id,
        started_date as event_date,
        value,
        sessions as events,
        views,
        bounces,
        duration_ms,
        persons
    from {{ relation }}
    where dimension = '{{ breakdown[0] if breakdown else 'all' }}'
)
{%- else -%}
(
    select
        *,
        started_at as timestamp,
        toUInt8(is_bounce) as bounces
    from {{ relation }}
    where views > 0
)
{%- endif -%}
{%- endset -%}
select
    {{ insights_trend_columns(keys, breakdown, compare) | indent(4) }}
    a as visitors,
    b as sessions,
    c as views,
    d as bounces,
    formula_1 as bounce_rate,
    formula_2 as avg_duration_ms,
    formula_3 as views_per_session
from (
    {{ insights_trends(
        visits, project,
        [
            {'condition': 'true', 'measure': 'actors'},
            {'condition': 'true', 'measure': 'events'},
            {'condition': 'true', 'measure': 'sum', 'of': 'views'},
            {'condition': 'true', 'measure': 'sum', 'of': 'bounces'},
            {'condition': 'true', 'measure': 'sum', 'of': 'duration_ms'},
        ],
        start, end, interval, timezone, week_start, where, keys=keys,
        formulas=['d / nullIf(b, 0)', 'e / nullIf(b, 0)', 'c / nullIf(b, 0)'],
        breakdown=['value'] if rolled and breakdown else breakdown,
        top=top, compare=compare, moving_average=moving_average, cumulative=cumulative, rolled=rolled
    ) | indent(4) }}
)
order by {{ insights_trend_order(keys, breakdown, compare) }}
{%- endmacro -%}

{#-
    Figures of what was viewed, page by page unless `breakdown` says otherwise: visitors (persons), views, sessions in which it
    was viewed. `relation` is fct_events; a view counts when it happens, whenever its session started.
-#}
{%- macro insights_web_pages(
    relation, project, start, end, interval, timezone, week_start='1', where='true', breakdown=['page_path'], top='10',
    keys=[], compare=none, moving_average=none, cumulative=false
) -%}
{%- set is_view = "type in ('page', 'screen')" -%}
select
    {{ insights_trend_columns(keys, breakdown, compare) | indent(4) }}
    a as visitors,
    b as views,
    c as sessions
from (
    {{ insights_trends(
        relation, project,
        [
            {'condition': is_view, 'measure': 'actors'},
            {'condition': is_view, 'measure': 'events'},
            {'condition': is_view, 'measure': 'sessions'},
        ],
        start, end, interval, timezone, week_start, where, keys=keys, breakdown=breakdown, top=top, compare=compare,
        moving_average=moving_average, cumulative=cumulative
    ) | indent(4) }}
)
order by {{ insights_trend_order(keys, breakdown, compare) }}
{%- endmacro -%}
