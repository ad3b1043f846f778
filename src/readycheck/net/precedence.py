"""Who names the proxy of a run: the user, the environment, the system or the network itself, in this order."""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from readycheck.errors import UsageError
from readycheck.net import desktop
from readycheck.net.pac_fetch import place_of
from readycheck.net.proxy import ProxyChoice, choose, discover, parse_proxy

OPTION = "--proxy"
_PREFIX = re.compile(r"pac(?:\+|:)(?=.)", re.IGNORECASE)
_DETECT = re.compile(r"(?:pac\+)?wpad:(?://)?", re.IGNORECASE)
_SCRIPT_URL = re.compile(
    r"(?:https?|file)://[^/?#]*/(?:[^?#]*/)?[^/?#]*\.(?:pac|dat)(?:\?.*)?", re.IGNORECASE
)
_SCRIPT_PATH = re.compile(r"(?![A-Za-z][A-Za-z0-9+.-]+:).*\.pac", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What is named: a proxy, a script, or (`detect`) the network that is to name one."""

    choice: ProxyChoice = field(default_factory=ProxyChoice)
    script: str = ""
    detect: bool = False
    source: str = ""


def names_script(text: str) -> bool:
    """Whether a text that could name a proxy names a script instead."""
    return _told(text, "") is not None


def named(
    wanted: str,
    environ: Mapping[str, str],
    settings: Callable[[Mapping[str, str]], desktop.Desktop | None] = desktop.read,
) -> Named:
    """What `--proxy` and this host name. Raises `UsageError` for an option that cannot be used."""
    if told := _told(wanted, OPTION):
        return told
    if wanted != "auto":
        return Named(choice=choose(wanted, environ), source=OPTION)
    if environ.get("no_proxy", environ.get("NO_PROXY", "")).strip() == "*":
        return Named(source="environment")
    variables = discover(environ)
    first = variables.get("https") or variables.get("all") or environ.get("auto_proxy", "")
    if told := _told(first, "environment", script=first == environ.get("auto_proxy")):
        return told
    choice = choose("auto", environ)
    if first:  # whatever it is, and be it of no use here: the user has decided
        return Named(choice=choice, source="environment")
    found = _set(settings(environ))
    return found if found.choice.proxy else replace(found, choice=choice)


def _told(text: str, source: str, *, script: bool = False) -> Named | None:
    """A script, or the wish for one, told where a proxy is."""
    if not text:
        return None
    if _DETECT.fullmatch(text):
        return Named(detect=True, source=source)
    prefix = _PREFIX.match(text)
    if not (script or prefix or _SCRIPT_URL.fullmatch(text) or _SCRIPT_PATH.fullmatch(text)):
        return None
    place = text[prefix.end() :] if prefix else text
    if source == OPTION:
        try:
            place_of(place)
        except ValueError as error:
            raise UsageError(f"{OPTION}: the proxy script that it names {error}") from None
    return Named(script=place, source=source)


def _set(found: desktop.Desktop | None) -> Named:
    """Where nothing is set at all, as on most hosts without a desktop, the network may name a script."""
    if found is None:
        return Named(detect=True)
    if found.script or found.detect:
        return Named(script=found.script, detect=found.detect, source=found.source)
    if not found.proxy:
        return Named(source=found.source)
    with suppress(UsageError):
        choice = ProxyChoice(parse_proxy(found.proxy), found.source, found.exempt)
        return Named(choice=choice, source=found.source)
    return Named(source=found.source)
