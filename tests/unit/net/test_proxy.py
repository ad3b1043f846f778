"""Proxies: finding them, and reading their URLs."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readycheck.errors import UsageError
from readycheck.net.proxy import ProxyChoice, ProxyUrl, choose, discover, is_exempt, parse_proxy

SECRET = "s3cret"


@pytest.mark.parametrize(
    ("url", "parsed"),
    [
        ("http://p.example:8080", ProxyUrl("http", "p.example", 8080)),
        ("p.example:3128", ProxyUrl("http", "p.example", 3128)),
        ("HTTPS://P.example/", ProxyUrl("https", "p.example", 443)),
        ("http://[2001:db8::1]:81", ProxyUrl("http", "2001:db8::1", 81)),
        ("http://us%40er:p%3Aw@p.example", ProxyUrl("http", "p.example", 80, "us@er", "p:w")),
    ],
)
def test_proxy_urls(url: str, parsed: ProxyUrl) -> None:
    found = parse_proxy(url)
    assert found == parsed
    assert "p:w" not in f"{found} {found!r}" and "us@er" not in f"{found} {found!r}"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://",
        f"socks5://user:{SECRET}@p.example",
        f"http://user:{SECRET}",
        f"http://user:{SECRET}@p.example:99999",
        f"http://user:{SECRET}@p.example:0",
        f"http://user:{SECRET}@p.example/path",
        f"http://user:{SECRET}@p.exa mple",
        f"http://user:{SECRET}@[::1",
        f"file:///{SECRET}@x\n\x1b",
    ],
)
def test_unusable_urls_are_refused_without_their_secrets(url: str) -> None:
    with pytest.raises(UsageError, match=r"^--proxy: [^\n]*$") as caught:
        parse_proxy(url)
    assert SECRET not in str(caught.value) and str(caught.value).isprintable()


@settings(deadline=None, database=None, max_examples=300)
@given(st.text(max_size=80))
def test_any_url_is_read_or_refused(url: str) -> None:
    try:
        parse_proxy(url)
    except UsageError as error:
        assert str(error).isprintable()


def test_the_environment_names_proxies() -> None:
    environ = {"HTTPS_PROXY": "http://a", "https_proxy": "http://b", "ALL_PROXY": "c", "HTTP_PROXY": "d"}
    assert discover(environ) == {"http": "d", "https": "http://b", "all": "c"}
    assert discover({**environ, "REQUEST_METHOD": "GET"}) == {"https": "http://b", "all": "c"}
    assert discover({**environ, "NO_PROXY": "*"}) == {}
    assert discover({"http_proxy": ""}) == {}


@pytest.mark.parametrize(
    ("host", "exempt"),
    [
        ("host.test", False),
        ("example.com", True),
        ("a.example.com.", True),
        ("badexample.com", False),
        ("x.dotted.test", True),
        ("y.starred.test", True),
        ("10.1.2.3", True),
        ("11.1.2.3", False),
        ("192.0.2.1", True),
        ("2001:db8::1", False),
    ],
)
def test_no_proxy_is_honoured(host: str, exempt: bool) -> None:
    rules = "Example.com, .dotted.test,*.starred.test,10.0.0.0/8,192.0.2.1,,"
    found = choose("auto", {"all_proxy": "p", "NO_PROXY": rules})
    assert is_exempt(host, found.exempt) is exempt
    assert is_exempt(host, ("other.test", "*"))
    assert not is_exempt(host, ())


def test_what_the_option_comes_to() -> None:
    environ = {"HTTPS_PROXY": "http://a:81", "all_proxy": "http://b:82", "no_proxy": "x.test"}
    assert choose("none", environ) == ProxyChoice(beside=ProxyUrl("http", "a", 81))
    assert choose("none", {}) == ProxyChoice()
    assert choose("auto", environ) == ProxyChoice(ProxyUrl("http", "a", 81), "environment", ("x.test",))
    assert choose("http://u:p@c:83", environ) == ProxyChoice(ProxyUrl("http", "c", 83, "u", "p"), "--proxy")
    assert choose("auto", {"all_proxy": "http://b:82"}).proxy == ProxyUrl("http", "b", 82)
    for unusable in (
        {},
        {**environ, "no_proxy": "*"},
        {"all_proxy": "socks5://b"},
    ):
        assert choose("auto", unusable) == ProxyChoice()
    assert choose("auto", {"http_proxy": "http://a"}) == ProxyChoice(beside=ProxyUrl("http", "a", 80))
    with pytest.raises(UsageError, match="--proxy"):
        choose("socks5://c", {})


def test_a_proxy_goes_by_its_place() -> None:
    assert parse_proxy("http://user:pass@p.example:8080").place == "p.example:8080"
    assert parse_proxy("http://[2001:db8::1]:81").place == "[2001:db8::1]:81"
