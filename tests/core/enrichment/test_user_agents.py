import pytest

from core.enrichment.bots import is_bot
from core.enrichment.user_agents import read

CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0"


@pytest.mark.parametrize(
    ("user_agent", "expected"),
    [
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36", ("Chrome", "Windows", "desktop", "")),
        (f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {CHROME} Safari/537.36", ("Chrome", "Chrome OS", "desktop", "")),
        (
            f"Mozilla/5.0 (Linux; Android 14; SM-S918B) {CHROME} Mobile Safari/537.36",
            ("Chrome Mobile", "Android", "mobile", "Samsung"),
        ),
        (f"Mozilla/5.0 (Linux; Android 13; SM-X700) {CHROME} Safari/537.36", ("Chrome", "Android", "tablet", "")),
        (
            "Mozilla/5.0 (iPad; CPU OS 16_5 like Mac OS X) Version/16.5 Mobile/15E148 Safari/604.1",
            ("Mobile Safari", "iOS", "tablet", "Apple"),
        ),
        (
            "Mozilla/5.0 (SMART-TV; Linux; Tizen 6.0) AppleWebKit/537.36 TV Safari/537.36",
            ("Safari", "Tizen", "tv", "Samsung"),
        ),
        ("Dalvik/2.1.0 (Linux; U; Android 10; Pixel 3)", ("Android", "Android", "mobile", "")),
        ("analytics-python/2.3.2", ("", "", "", "")),
        ("", ("", "", "", "")),
    ],
)
def test_a_user_agent_says_browser_system_and_device(user_agent: str, expected: tuple[str, ...]) -> None:
    agent = read(user_agent)
    assert (agent.browser, agent.os, agent.device_type, agent.device_brand) == expected
    assert not agent.is_bot


@pytest.mark.parametrize(
    "user_agent",
    [
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
        "facebookexternalhit/1.1",
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.0; +https://openai.com/gptbot)",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0 Safari/537.36",
    ],
)
def test_crawlers_and_automated_browsers_are_bots(user_agent: str) -> None:
    assert is_bot(user_agent)
    assert read(user_agent).is_bot
    assert read(user_agent).device_type == ""


@pytest.mark.parametrize(
    "user_agent", ["python-requests/2.32", "axios/1.7", "okhttp/4.9", "Go-http-client/2.0", "curl/8", ""]
)
def test_the_http_library_of_a_server_is_no_bot(user_agent: str) -> None:
    assert not is_bot(user_agent)


def test_a_very_long_user_agent_is_read_only_at_its_beginning() -> None:
    assert not is_bot("x" * 1024 + "Googlebot/2.1")
