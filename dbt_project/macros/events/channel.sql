{#-
    Which way a person came, by rules like those of Google Analytics 4 (docs/enrichment.md has them as a table): the
    first that holds. `source_type` is that of utm_source or, where there is none, of the referrer. Empty where the event
    says nothing of it: no page, or a page reached from another page of the same site.
-#}
{% macro channel(source, medium, campaign, click_id_type, source_type, is_internal, has_referrer, has_page) -%}
    {%- set paid_search_ids = "('gclid', 'gbraid', 'wbraid', 'msclkid', 'yclid')" -%}
    {%- set paid_social_ids = "('ttclid', 'twclid', 'li_fat_id', 'sccid', 'rdt_cid', 'epik', 'qclid')" -%}
    {%- set social_mediums
        = "('social', 'social-network', 'social-media', 'sm', 'social network', 'social media')" -%}
    {%- set is_paid_medium = "match(" ~ medium ~ ", '^(.*cp.*|ppc|retargeting|paid.*)$')" -%}
    {%- set is_shopping = "(" ~ source_type ~ " = 'shopping' or match(" ~ campaign
        ~ ", '^(.*(([^a-df-z]|^)shop|shopping).*)$'))" -%}
    multiIf(
        position({{ campaign }}, 'cross-network') > 0, 'cross_network',
        {{ is_paid_medium }} and {{ is_shopping }}, 'paid_shopping',
        {{ is_paid_medium }} and {{ source_type }} = 'search', 'paid_search',
        {{ is_paid_medium }} and {{ source_type }} = 'social', 'paid_social',
        {{ is_paid_medium }} and {{ source_type }} = 'video', 'paid_video',
        {{ click_id_type }} in {{ paid_search_ids }}, 'paid_search',
        {{ click_id_type }} in {{ paid_social_ids }}, 'paid_social',
        {{ click_id_type }} = 'dclid' or {{ medium }} in ('display', 'banner', 'expandable', 'interstitial', 'cpm'),
        'display',
        {{ is_paid_medium }}, 'paid_other',
        {{ is_shopping }}, 'organic_shopping',
        {{ source_type }} = 'social' or {{ medium }} in {{ social_mediums }}
        or {{ click_id_type }} in ('fbclid', 'igshid'),
        'organic_social',
        {{ source_type }} = 'video' or position({{ medium }}, 'video') > 0, 'organic_video',
        {{ source_type }} = 'ai', 'ai_assistant',
        {{ source_type }} = 'search' or {{ medium }} = 'organic', 'organic_search',
        {{ source_type }} = 'email' or match({{ medium }}, '^e[-_ ]?mail$') or {{ click_id_type }} in ('mc_cid', '_kx'),
        'email',
        {{ medium }} in ('affiliate', 'affiliates') or {{ click_id_type }} = 'irclickid', 'affiliates',
        {{ medium }} in ('referral', 'app', 'link'), 'referral',
        {{ medium }} = 'audio', 'audio',
        {{ source }} = 'sms' or {{ medium }} = 'sms', 'sms',
        match({{ medium }}, 'push$|mobile|notification') or {{ source }} = 'firebase', 'mobile_push',
        {{ source }} != '' or {{ medium }} != '' or {{ campaign }} != '', 'unassigned',
        {{ is_internal }}, '',
        {{ has_referrer }}, 'referral',
        {{ has_page }}, 'direct',
        ''
    )
{%- endmacro %}
