"""Who is asked first for a proxy, and what is taken for a script."""

from collections.abc import Mapping
from typing import Any

import pytest

from readycheck.errors import UsageError
from readycheck.net.desktop import Desktop
from readycheck.net.precedence import Named, named, names_script
from readycheck.net.proxy import ProxyChoice, ProxyUrl

A = ProxyUrl("http", "a.corp", 3128)


def nothing(environ: Mapping[str, str]) -> None:
    return None


def settings(**values: Any) -> Any:
    return lambda environ: Desktop(source="GNOME settings", **values)


@pytest.mark.parametrize(
    ("wanted", "environ", "desktop", "expected"),
    [
        ("none", {}, nothing, Named(source="--proxy")),
        (
            "none",
            {"https_proxy": "a.corp:3128"},
            nothing,
            Named(choice=ProxyChoice(beside=A), source="--proxy"),
        ),
        (
            "http://a.corp:3128",
            {"https_proxy": "b"},
            nothing,
            Named(choice=ProxyChoice(A, "--proxy"), source="--proxy"),
        ),
        ("pac+http://x/y", {}, nothing, Named(script="http://x/y", source="--proxy")),
        ("pac:./here.js", {}, nothing, Named(script="./here.js", source="--proxy")),
        ("http://x/proxy.pac", {}, nothing, Named(script="http://x/proxy.pac", source="--proxy")),
        ("http://x/a/wpad.dat?b", {}, nothing, Named(script="http://x/a/wpad.dat?b", source="--proxy")),
        ("file:///etc/proxy.pac", {}, nothing, Named(script="file:///etc/proxy.pac", source="--proxy")),
        ("/etc/proxy.pac", {}, nothing, Named(script="/etc/proxy.pac", source="--proxy")),
        ("proxy.pac", {}, nothing, Named(script="proxy.pac", source="--proxy")),
        ("wpad:", {}, nothing, Named(detect=True, source="--proxy")),
        (
            "auto",
            {"https_proxy": "a.corp:3128", "auto_proxy": "http://x/y"},
            settings(script="http://z"),
            Named(choice=ProxyChoice(A, "environment"), source="environment"),
        ),
        ("auto", {"auto_proxy": "http://x/y"}, nothing, Named(script="http://x/y", source="environment")),
        (
            "auto",
            {"HTTPS_PROXY": "pac+http://x/y"},
            nothing,
            Named(script="http://x/y", source="environment"),
        ),
        ("auto", {"all_proxy": "wpad://"}, nothing, Named(detect=True, source="environment")),
        ("auto", {"no_proxy": "*"}, settings(script="http://x/y"), Named(source="environment")),
        (
            "auto",
            {},
            settings(script="http://x/y"),
            Named(script="http://x/y", source="GNOME settings"),
        ),
        ("auto", {}, settings(detect=True), Named(detect=True, source="GNOME settings")),
        (
            "auto",
            {},
            settings(proxy="a.corp:3128", exempt=(".corp",)),
            Named(choice=ProxyChoice(A, "GNOME settings", (".corp",)), source="GNOME settings"),
        ),
        ("auto", {}, settings(), Named(source="GNOME settings")),
        ("auto", {}, settings(proxy="socks://x"), Named(source="GNOME settings")),
        ("auto", {}, nothing, Named(detect=True)),
        ("auto", {"https_proxy": "socks5://x:1080"}, nothing, Named(source="environment")),
    ],
)
def test_who_is_asked_first(wanted: str, environ: dict[str, str], desktop: Any, expected: Named) -> None:
    assert named(wanted, environ, desktop) == expected


@pytest.mark.parametrize("wanted", ["pac:ftp://x/y", "pac+http://", "pac:\x1b[m", "ftp://u:secret@x/y"])
def test_an_option_that_names_nothing_is_refused(wanted: str) -> None:
    with pytest.raises(UsageError, match=r"^--proxy: ") as caught:
        named(wanted, {}, nothing)
    assert "secret" not in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_proxy_is_not_taken_for_a_script() -> None:
    assert not any(map(names_script, ("", "a:80", "http://a:80", "https://u:p@a.pac:80/", "http://pac.corp")))
