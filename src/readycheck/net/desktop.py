"""What the desktop, or the system itself, is set to for proxies: read, never changed, and never written about."""

import configparser
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Ask = Callable[[Sequence[str]], str]

_ASK_S = 2.0
_MAX_BYTES = 256 << 10
_MAX_RULES = 200
_GNOME_LIKE = ("GNOME", "UNITY", "CINNAMON", "BUDGIE", "PANTHEON", "MATE", "XFCE")
_GNOME = ("gsettings", "list-recursively", "org.gnome.system.proxy")
_MACOS = ("scutil", "--proxy")
_INTERNET = r"Software\Microsoft\Windows\CurrentVersion\Internet Settings"
_DETECT_BIT = 0x08  # in the ninth byte of DefaultConnectionSettings
_KDE_MANUAL, _KDE_SCRIPT, _KDE_DETECT, _KDE_VARIABLES = "1", "2", "3", "4"


@dataclass(frozen=True, slots=True, kw_only=True)
class Desktop:
    """Its settings: `script` names a proxy script, `detect` asks the network for one (WPAD)."""

    source: str
    script: str = ""
    detect: bool = False
    proxy: str = ""
    exempt: tuple[str, ...] = ()


def ask(command: Sequence[str]) -> str:
    """What a program of the system prints; nothing when it cannot."""
    with suppress(OSError, subprocess.SubprocessError):
        told = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_ASK_S, check=True
        )
        return told.stdout[:_MAX_BYTES].decode("utf-8", "replace")
    return ""


def read(environ: Mapping[str, str], *, platform: str = sys.platform, ask: Ask = ask) -> Desktop | None:
    """The settings that programs of this session follow; None where there are none to follow."""
    if platform == "win32":
        return windows(registry())
    if platform == "darwin":
        return macos(ask(_MACOS))
    session = environ.get("XDG_CURRENT_DESKTOP", "").upper().split(":")
    if "KDE" in session:
        return kde(_text(_configuration(environ) / "kioslaverc"))
    return gnome(ask(_GNOME)) if set(session) & set(_GNOME_LIKE) else None


def gnome(text: str) -> Desktop | None:
    """From what `gsettings list-recursively org.gnome.system.proxy` prints."""
    rows = (line.split(" ", 2) for line in text.splitlines())
    told = {(row[0].rpartition("proxy")[2], row[1]): row[2] for row in rows if len(row) == 3}
    mode = _unquoted(told.get(("", "mode"), ""))
    if not mode:
        return None
    script = _unquoted(told.get(("", "autoconfig-url"), ""))
    if mode == "auto":
        return Desktop(source="GNOME settings", script=script, detect=not script)
    if mode != "manual":
        return Desktop(source="GNOME settings")
    schemes = (".https", ".http") if told.get(("", "use-same-proxy")) == "true" else (".https",)
    pairs = ((_unquoted(told.get((s, "host"), "")), told.get((s, "port"), "0")) for s in schemes)
    proxy = next((f"http://{_bracketed(host)}:{port}" for host, port in pairs if host and port != "0"), "")
    ignored = re.findall(r"'([^']*)'", told.get(("", "ignore-hosts"), ""))
    return Desktop(source="GNOME settings", proxy=proxy, exempt=_rules(ignored))


def kde(text: str) -> Desktop | None:
    """From KDE's `kioslaverc`."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    with suppress(configparser.Error):
        parser.read_string(text)
    if not parser.has_section("Proxy Settings"):
        return None
    section = parser["Proxy Settings"]
    kind = section.get("ProxyType", "0")
    if kind == _KDE_VARIABLES:
        return None
    if kind == _KDE_SCRIPT:
        return Desktop(source="KDE settings", script=section.get("Proxy Config Script", ""))
    if kind != _KDE_MANUAL:
        return Desktop(source="KDE settings", detect=kind == _KDE_DETECT)
    host, _, port = section.get("httpsProxy", "").strip().partition(" ")
    exempt = _rules(section.get("NoProxyFor", "").split(","))
    return Desktop(source="KDE settings", proxy=f"{host}:{port}" if port else host, exempt=exempt)


def windows(values: Mapping[str, Any]) -> Desktop | None:
    """From the values of `Internet Settings` in the registry of the user."""
    if not values:
        return None
    flags = values.get("DefaultConnectionSettings", b"")
    detect = isinstance(flags, bytes) and len(flags) > 8 and bool(flags[8] & _DETECT_BIT)
    script = str(values.get("AutoConfigURL") or "")
    server = str(values.get("ProxyServer") or "") if values.get("ProxyEnable") else ""
    by_scheme = dict(part.split("=", 1) for part in server.split(";") if "=" in part)
    proxy = by_scheme.get("https", "") if by_scheme else server
    return Desktop(
        source="Windows settings",
        script=script,
        detect=detect,
        proxy=proxy,
        exempt=_rules(str(values.get("ProxyOverride") or "").split(";")),
    )


def macos(text: str) -> Desktop | None:
    """From what `scutil --proxy` prints."""
    told = dict(re.findall(r"^\s*(\w+) : (.*?)\s*$", text, re.MULTILINE))
    if not told:
        return None

    def is_on(name: str) -> bool:
        return told.get(name) == "1"

    proxy = f"{told.get('HTTPSProxy', '')}:{told.get('HTTPSPort', '')}" if is_on("HTTPSEnable") else ""
    listed = re.search(r"ExceptionsList : <array> \{(.*?)\}", text, re.DOTALL)
    rules = re.findall(r"^\s*\d+ : (\S+)", listed[1], re.MULTILINE) if listed else []
    return Desktop(
        source="macOS settings",
        script=told.get("ProxyAutoConfigURLString", "") if is_on("ProxyAutoConfigEnable") else "",
        detect=is_on("ProxyAutoDiscoveryEnable"),
        proxy=proxy.strip(":"),
        exempt=_rules(rules),
    )


def registry() -> Mapping[str, Any]:
    """The values of the user's Internet settings; none on other systems."""
    if sys.platform != "win32":
        return {}
    import winreg

    found: dict[str, Any] = {}
    wanted = {
        _INTERNET: ("ProxyEnable", "ProxyServer", "ProxyOverride", "AutoConfigURL"),
        rf"{_INTERNET}\Connections": ("DefaultConnectionSettings",),
    }
    for path, names in wanted.items():
        with suppress(OSError), winreg.OpenKey(winreg.HKEY_CURRENT_USER, path) as key:
            for name in names:
                with suppress(OSError):
                    found[name] = winreg.QueryValueEx(key, name)[0]
    return found


def _rules(texts: Sequence[str]) -> tuple[str, ...]:
    """As rules of `no_proxy`; the one for names without a dot has no counterpart there."""
    return tuple(rule for rule in _plain_rules(texts[:_MAX_RULES]) if rule)


def _plain_rules(texts: Sequence[str]) -> Iterator[str]:
    for text in (one.strip() for one in texts):
        octets = re.fullmatch(r"((?:\d{1,3}\.){0,2}\d{1,3})(?:\.\*|/(\d{1,2}))", text)
        if octets:  # 10.* and 169.254/16
            given = octets[1].split(".")
            bits = octets[2] or str(8 * len(given))
            yield ".".join([*given, "0", "0", "0"][:4]) + f"/{bits}"
        elif not text.startswith("<"):
            yield text


def _configuration(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME", "/"), ".config"))


def _text(file: Path) -> str:
    with suppress(OSError), file.open("rb") as opened:
        return opened.read(_MAX_BYTES).decode("utf-8", "replace")
    return ""


def _unquoted(text: str) -> str:
    return text.strip().strip("'")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
