import pytest

from core.metadata.origins import AllowedOrigins, InvalidOriginError, parse_origin


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://Shop.Example", "https://shop.example"),
        ("HTTPS://shop.example:443", "https://shop.example"),
        ("http://shop.example:80", "http://shop.example"),
        ("http://shop.example:443", "http://shop.example:443"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("https://*.shop.example", "https://*.shop.example"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("NULL", "null"),
    ],
)
def test_an_origin_is_written_in_one_way(text: str, origin: str) -> None:
    assert parse_origin(text) == origin


@pytest.mark.parametrize(
    "text",
    [
        *("", "*", "shop.example", "https://", "https://shop.example/", "https://user@shop.example", "https://shop.*"),
        *("https://*shop.example", "https://a.*.example", "https://*.*.example", "https://shop.example:x"),
    ],
)
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(InvalidOriginError):
        parse_origin(text)


@pytest.mark.parametrize(
    "origin", ["https://shop.example", "https://SHOP.example:443", "https://a.b.shop.example", "http://localhost:3000"]
)
def test_a_listed_origin_and_a_subdomain_are_allowed(origin: str) -> None:
    allowed = AllowedOrigins(["https://shop.example", "https://*.shop.example", "http://localhost:3000"])
    assert allowed.allow(origin)


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "http://shop.example",
        "https://shop.example",
        "https://.shop.example",
        "https://a.shop.example:8443",
        "https://evilshop.example",
        "https://a.shop.example.evil",
        "https://evil/.shop.example",
        "http://localhost",
    ],
)
def test_no_other_origin_is_allowed(origin: str) -> None:
    assert not AllowedOrigins(["https://*.shop.example", "http://localhost:3000"]).allow(origin)


def test_pages_without_an_origin_can_be_allowed() -> None:
    assert AllowedOrigins(["null"]).allow("null")


def test_a_list_that_nobody_can_read_allows_nobody() -> None:
    assert not AllowedOrigins(["shop.example"]).allow("https://shop.example")
