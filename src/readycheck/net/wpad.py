"""Web proxy auto-discovery (WPAD): where this host's network itself would name a proxy script."""

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

from readycheck.net.environment import LEASES

MAX_NAMES = 2
_MAX_BYTES = 256 << 10
_MAX_LEASES = 32
_RESOLV_CONF = "etc/resolv.conf"
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?")
_REGISTRIES = frozenset("ac co com edu gob gouv gov gv mil ne net nom or org".split())
_QUOTED = re.compile(
    r'option\s+(?:wpad|wpad-url|proxy-auto-config|unknown-252|option-252)\s+"([^"]{1,1000})"'
)
_HEXADECIMAL = re.compile(
    r"(?:^OPTION_252=|option\s+unknown-252\s+)((?:[0-9A-Fa-f]{2}:?){1,1000})", re.MULTILINE
)


def lease_url(root: Path = Path("/")) -> str:
    """What DHCP option 252 of the newest lease says, as far as its file shows it; older ones are other networks'."""
    files = islice((file for pattern in LEASES for file in root.glob(pattern)), _MAX_LEASES)
    with suppress(OSError):
        newest = max(files, key=lambda file: file.stat().st_mtime, default=None)
        return _url_in(_text(newest).rpartition("lease {")[2]) if newest else ""
    return ""


def names(domains: Sequence[str]) -> tuple[str, ...]:
    """The name `wpad` in the domains of this host.

    Only in these and in none above them: the parent of an organisation's domain may be anybody's, and whoever
    owns `wpad` there would be this host's proxy. For the same reason not in a domain of one label (a name that
    leaks to the root), nor in what is a registry's.
    """
    wanted = (domain.lower().strip(".") for domain in domains)
    return tuple(dict.fromkeys(f"wpad.{domain}" for domain in wanted if _is_own(domain)))[:MAX_NAMES]


def search_domains(root: Path = Path("/")) -> tuple[str, ...]:
    """The domains in which this host looks for short names."""
    if sys.platform == "win32":
        return _registry_domains()
    found: tuple[str, ...] = ()
    for line in _text(root / _RESOLV_CONF).splitlines():
        words = line.split()
        if len(words) > 1 and words[0] in ("search", "domain"):
            found = tuple(words[1:])  # the last line counts (resolv.conf(5))
    return found


def _is_own(domain: str) -> bool:
    labels = domain.split(".")
    if not all(_LABEL.fullmatch(label) for label in labels) or len(domain) > 200:
        return False
    if len(labels) == 1:
        return domain == "internal"  # the only one that is promised to nobody
    return not (len(labels) == 2 and len(labels[1]) == 2 and labels[0] in _REGISTRIES)


def _url_in(text: str) -> str:
    found = [*_QUOTED.findall(text), *(_decoded(hexadecimal) for hexadecimal in _HEXADECIMAL.findall(text))]
    urls = (one.replace("\\000", "").strip("\0\r\n\t ") for one in reversed(found))
    return next((url for url in urls if re.match(r"https?://\S+$", url, re.IGNORECASE)), "")


def _decoded(hexadecimal: str) -> str:
    digits = hexadecimal.replace(":", "")
    return bytes.fromhex(digits[: len(digits) // 2 * 2]).decode("latin-1")


def _text(file: Path) -> str:
    with suppress(OSError), file.open("rb") as opened:
        return opened.read(_MAX_BYTES).decode("utf-8", "replace")
    return ""


def _registry_domains() -> tuple[str, ...]:
    return tuple(_dns_domains())


def _dns_domains() -> Iterator[str]:
    import dns.exception
    import dns.resolver

    with suppress(dns.exception.DNSException, OSError, ValueError):
        system = dns.resolver.Resolver()
        yield from (str(name).rstrip(".") for name in (system.domain, *system.search))
