"""Settings of desktops and systems, from what they store or print."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from readycheck.net import desktop
from readycheck.net.desktop import Desktop, read

GNOME = """\
org.gnome.system.proxy autoconfig-url '{script}'
org.gnome.system.proxy ignore-hosts ['localhost', '127.0.0.0/8', '::1', '*.corp']
org.gnome.system.proxy mode '{mode}'
org.gnome.system.proxy use-same-proxy {same}
org.gnome.system.proxy.http host 'web.corp'
org.gnome.system.proxy.http port 8080
org.gnome.system.proxy.https host '{host}'
org.gnome.system.proxy.https port {port}
"""
IGNORED = ("localhost", "127.0.0.0/8", "::1", "*.corp")


def gnome(**changes: Any) -> str:
    return GNOME.format(**{"script": "", "mode": "none", "same": "false", "host": "", "port": 0, **changes})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (gnome(), Desktop(source="GNOME settings")),
        (
            gnome(mode="auto", script="http://a/p.pac"),
            Desktop(source="GNOME settings", script="http://a/p.pac"),
        ),
        (gnome(mode="auto"), Desktop(source="GNOME settings", detect=True)),
        (
            gnome(mode="manual", host="p.corp", port=3128),
            Desktop(source="GNOME settings", proxy="http://p.corp:3128", exempt=IGNORED),
        ),
        (
            gnome(mode="manual", same="true"),
            Desktop(source="GNOME settings", proxy="http://web.corp:8080", exempt=IGNORED),
        ),
        (gnome(mode="manual"), Desktop(source="GNOME settings", exempt=IGNORED)),
        ("", None),
        ("No such schema", None),
    ],
)
def test_gnome(text: str, expected: Desktop | None) -> None:
    assert desktop.gnome(text) == expected


def kde(**values: str) -> str:
    lines = "\n".join(f"{name.replace('_', ' ')}={value}" for name, value in values.items())
    return f"[$Version]\nupdate_info=x\n\n[Proxy Settings]\n{lines}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (kde(ProxyType="0"), Desktop(source="KDE settings")),
        (
            kde(ProxyType="1", httpsProxy="http://p.corp 3128", NoProxyFor="localhost,.corp"),
            Desktop(source="KDE settings", proxy="http://p.corp:3128", exempt=("localhost", ".corp")),
        ),
        (
            kde(ProxyType="2", Proxy_Config_Script="http://a/p.pac"),
            Desktop(source="KDE settings", script="http://a/p.pac"),
        ),
        (kde(ProxyType="3"), Desktop(source="KDE settings", detect=True)),
        (kde(ProxyType="4", httpsProxy="HTTPS_PROXY"), None),
        ("[Other]\nx=1\n", None),
        ("no settings at all", None),
        ("", None),
    ],
)
def test_kde(text: str, expected: Desktop | None) -> None:
    assert desktop.kde(text) == expected


FLAGS = bytes([70, 0, 0, 0, 1, 0, 0, 0, 9, 0])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, None),
        ({"ProxyEnable": 0, "ProxyServer": "p:3128"}, Desktop(source="Windows settings")),
        (
            {"ProxyEnable": 1, "ProxyServer": "p:3128", "ProxyOverride": "*.corp;10.*;<local>"},
            Desktop(source="Windows settings", proxy="p:3128", exempt=("*.corp", "10.0.0.0/8")),
        ),
        (
            {"ProxyEnable": 1, "ProxyServer": "http=a:80;https=b:443"},
            Desktop(source="Windows settings", proxy="b:443"),
        ),
        ({"ProxyEnable": 1, "ProxyServer": "http=a:80"}, Desktop(source="Windows settings")),
        (
            {"AutoConfigURL": "http://a/p.pac"},
            Desktop(source="Windows settings", script="http://a/p.pac"),
        ),
        ({"DefaultConnectionSettings": FLAGS}, Desktop(source="Windows settings", detect=True)),
        ({"DefaultConnectionSettings": b"\x46"}, Desktop(source="Windows settings")),
    ],
)
def test_windows(values: dict[str, Any], expected: Desktop | None) -> None:
    assert desktop.windows(values) == expected


MACOS = """\
<dictionary> {
  ExceptionsList : <array> {
    0 : *.local
    1 : 169.254/16
  }
  FTPPassive : 1
  HTTPSEnable : 1
  HTTPSPort : 3128
  HTTPSProxy : p.corp
  ProxyAutoConfigEnable : 1
  ProxyAutoConfigURLString : http://a/p.pac
  ProxyAutoDiscoveryEnable : 0
}
"""


def test_macos() -> None:
    assert desktop.macos(MACOS) == Desktop(
        source="macOS settings",
        script="http://a/p.pac",
        proxy="p.corp:3128",
        exempt=("*.local", "169.254.0.0/16"),
    )
    off = MACOS.replace("Enable : 1", "Enable : 0").replace("DiscoveryEnable : 0", "DiscoveryEnable : 1")
    found = desktop.macos(off)
    assert found is not None
    assert (found.script, found.proxy, found.detect) == ("", "", True)
    assert desktop.macos("") is None


def printed(answers: dict[str, str]) -> desktop.Ask:
    def ask(command: Sequence[str]) -> str:
        return answers.get(command[0], "")

    return ask


def test_only_the_desktop_of_this_session_is_asked(tmp_path: Path) -> None:
    (tmp_path / "kioslaverc").write_text(kde(ProxyType="3"))
    ask = printed({"gsettings": gnome(mode="auto"), "scutil": MACOS})
    environ = {"XDG_CONFIG_HOME": str(tmp_path)}

    def source(session: str, platform: str = "linux") -> str | None:
        found = read({**environ, "XDG_CURRENT_DESKTOP": session}, platform=platform, ask=ask)
        return found and found.source

    assert source("ubuntu:GNOME") == "GNOME settings"
    assert source("KDE") == "KDE settings"
    assert source("") is None
    assert source("", "darwin") == "macOS settings"
    assert source("", "win32") is None  # there is no registry here


def test_a_program_that_is_not_there_says_nothing() -> None:
    assert desktop.ask(["/nosuch/program"]) == ""
    assert desktop.ask(["false"]) == ""
